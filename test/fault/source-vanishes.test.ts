/** A collection that is dropped or replaced reads like one at its end: no run may treat it as complete. */

import assert from 'node:assert/strict';
import { appendFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { MongoClient } from 'mongodb';
import { ExitCode } from '../../src/common/errors.ts';
import type { FailpointName } from '../../src/common/failpoints/rules.ts';
import { plainPool } from '../support/cli.ts';
import { dumpBson } from '../support/dump.ts';
import { cleanUp, makeDirectory, waitUntil } from '../support/embedded.ts';
import { actAtPause, setFailpoints, type FailpointRules } from '../support/failpoints.ts';
import {
  act,
  assertCode,
  documentsOf,
  setScene,
  setSceneOn,
  type FaultRun,
  type Scene,
} from '../support/fault.ts';
import { startPrivateMongo, type PrivateMongo } from '../support/private-servers.ts';
import { findPrimaryPort, withMongoOptions, withShortSelection } from '../support/mongo-url.ts';
import { createSandbox, mongoUrl } from '../support/servers.ts';
import { startProxy } from '../support/tcp-proxy.ts';

const count = 1_000;

interface Change {
  readonly make: (scene: Pick<Scene, 'collection' | 'otherCollection'>) => Promise<unknown>;
  readonly message: RegExp;
}

const changes: Readonly<Record<string, Change>> = {
  dropped: {
    make: ({ collection }) => collection.drop(),
    message: /the collection \w+\.things no longer exists/,
  },
  renamed: {
    make: ({ collection }) => collection.rename('elsewhere'),
    message: /the collection \w+\.things was renamed to elsewhere while it was read —/,
  },
  'renamed, and another has its name': {
    async make({ collection }) {
      await collection.rename('elsewhere');
      await collection.insertMany(documentsOf(count));
    },
    message: /the collection \w+\.things was renamed to elsewhere while it was read/,
  },
  'recreated, with documents after those that were read': {
    make: (scene) => recreate(scene, 10_000),
    message: /the collection \w+\.things was dropped and recreated/,
  },
  'recreated, with documents before those that were read': {
    make: (scene) => recreate(scene, -10_000),
    message: /the collection \w+\.things was dropped and recreated/,
  },
  emptied: {
    make: ({ collection }) => collection.deleteMany({}),
    message: /all documents of the collection \w+\.things were deleted/,
  },
};

/** Atomic, as readers that do not pause would see a state in between. */
async function recreate(
  { collection, otherCollection }: Pick<Scene, 'collection' | 'otherCollection'>,
  first: number,
): Promise<void> {
  const other = otherCollection('new');
  await other.insertMany(documentsOf(count, first));
  await other.rename(collection.collectionName, { dropTarget: true });
}

/** When in a run it happens: the failpoint that pauses there. */
const moments: Readonly<Record<string, { readonly point: FailpointName; readonly hit: number }>> = {
  'between pages': { point: 'primary-after-ack', hit: 5 },
  'when one range is finished and others are not': { point: 'primary-at-range-end', hit: 1 },
  'when the last page was read': { point: 'primary-before-load-checkpoint', hit: 1 },
};

interface Pause {
  readonly point: FailpointName;
  readonly hit: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
}

/** Acts while the command waits at that point. */
async function actAt(
  t: TestContext,
  scene: Scene,
  pause: Pause,
  act: () => Promise<unknown>,
): Promise<FaultRun> {
  const { point, hit, env = {}, args = [] } = pause;
  const rules: FailpointRules = { [point]: `pause@${hit}` };
  const failpoints = await setFailpoints(t, rules);
  const running = scene.run({ ...failpoints.env, ...env }, ...args);
  return await actAtPause(failpoints, point, running, act);
}

/** The run was begun or not, and is neither loaded nor finished. */
async function assertUnfinished(scene: Scene): Promise<void> {
  const [{ ledger } = { ledger: null }] = await scene.query<{ ledger: string | null }>(
    "SELECT to_regclass('mongo2pg.runs') AS ledger",
  );
  if (ledger === null) return;
  const marked = await scene.query(
    `SELECT FROM mongo2pg.phases WHERE done_at IS NOT NULL
      UNION ALL SELECT FROM mongo2pg.runs WHERE finished_at IS NOT NULL`,
  );
  assert.equal(marked.length, 0, 'a run is marked as loaded or finished');
}

async function countRows(scene: Scene, condition: string): Promise<number> {
  const [row] = await scene.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM things WHERE ${condition}`,
  );
  return row?.count ?? 0;
}

function set(t: TestContext): Promise<Scene> {
  return setScene(t, count, plainPool);
}

describe('the collection of a run', () => {
  for (const [what, { make, message }] of Object.entries(changes)) {
    for (const [when, pause] of Object.entries(moments)) {
      it(`${what} ${when}: the run is not finished`, async (t) => {
        const scene = await set(t);
        const run = await actAt(t, scene, pause, () => make(scene));
        assertCode(run, ExitCode.source);
        assert.match(run.stderr, message);
        await assertUnfinished(scene);
      });
    }

    it(`${what} in a retry: the run is not finished, and nothing of another collection is read`, async (t) => {
      const scene = await set(t);
      const appName = `vanishing ${scene.env.MONGO_DB ?? ''}`;
      const client = await MongoClient.connect(mongoUrl);
      cleanUp(t, () => client.close());
      const pause = {
        point: 'primary-after-ack',
        hit: 5,
        env: { MONGO_URL: withMongoOptions(mongoUrl, { appName }), READ_RANGES: '1' },
      } as const;
      const run = await actAt(t, scene, pause, async () => {
        await client.db('admin').command({
          configureFailPoint: 'failCommand',
          mode: { times: 1 },
          data: { failCommands: ['find'], appName, closeConnection: true },
        });
        await make(scene);
      });
      assertCode(run, ExitCode.source);
      assert.match(run.notices, /retrying MongoDB/);
      assert.match(run.stderr, message);
      assert.equal(await countRows(scene, '_id NOT BETWEEN 0 AND 999'), 0);
      await assertUnfinished(scene);
    });

    it(`${what} while it is verified: equality is not reported`, async (t) => {
      const scene = await set(t);
      assertCode(await scene.run(), 0);
      const pause = { point: 'worker-before-ack', hit: 3, args: ['verify'] } as const;
      const run = await actAt(t, scene, pause, () => make(scene));
      assertCode(run, ExitCode.source);
      assert.match(run.stderr, message);
      assert.match(run.stderr, /verify again/);
    });
  }

  it('dropped before the run begins: existing rows are not removed', async (t) => {
    const scene = await set(t);
    assertCode(await scene.run(), 0);
    const pause = { point: 'primary-after-plan', hit: 1, args: ['--if-exists', 'drop'] } as const;
    const run = await actAt(t, scene, pause, () => scene.collection.drop());
    assertCode(run, ExitCode.source);
    assert.match(run.stderr, /no longer exists/);
    assert.equal(await countRows(scene, 'true'), count);
  });

  it('dropped when verify has read all of it: equality is not reported', async (t) => {
    const scene = await set(t);
    assertCode(await scene.run(), 0);
    const pause = {
      point: 'primary-at-range-end',
      hit: 1,
      args: ['verify'],
      env: { READ_RANGES: '1' },
    } as const;
    const run = await actAt(t, scene, pause, () => scene.collection.drop());
    assertCode(run, ExitCode.source);
  });

  it('dropped before verify reads the differences again: they are not counted as changed', async (t) => {
    const scene = await set(t);
    assertCode(await scene.run(), 0);
    await scene.query("UPDATE things SET text = 'other' WHERE _id = 7");
    const pause = { point: 'primary-before-second-look', hit: 1, args: ['verify'] } as const;
    const run = await actAt(t, scene, pause, () => scene.collection.drop());
    assertCode(run, ExitCode.source);
    assert.match(run.stderr, /no longer exists/);
  });

  it('renamed and renamed back: the same command resumes, and finishes', async (t) => {
    const scene = await set(t);
    const { collectionName } = scene.collection;
    const pause = { point: 'primary-after-ack', hit: 5 } as const;
    const run = await actAt(t, scene, pause, () => scene.collection.rename('elsewhere'));
    assert.match(run.stderr, /rename it back to things, and the same command resumes/);
    const away = await scene.run();
    assertCode(away, ExitCode.source);
    assert.match(
      away.stderr,
      /has no collection \w+\.things, and run 1 .* is not finished — with its original documents/,
    );
    await scene.otherCollection('elsewhere').rename(collectionName);
    assertCode(await scene.run(), 0);
    await scene.assertEqual();
  });

  it('most of its documents deleted: these are only writes during the copy', async (t) => {
    const scene = await set(t);
    const pause = { point: 'primary-after-ack', hit: 5, env: { READ_RANGES: '1' } } as const;
    const run = await actAt(t, scene, pause, () =>
      scene.collection.deleteMany({ _id: { $ne: 999 } } as never),
    );
    assertCode(run, 0);
    assert.equal(await countRows(scene, '_id = 999'), 1);
  });
});

describe('the collection of a run on a server without UUIDs', () => {
  async function setWithoutUuid(t: TestContext): Promise<Scene> {
    const sandbox = await createSandbox();
    cleanUp(t, () => sandbox.remove());
    const [from, to] = ['\x05uuid\0', '\x05none\0'];
    const rewrite = (piece: Buffer): Buffer =>
      Buffer.from(piece.toString('latin1').replaceAll(from, to), 'latin1');
    const proxy = await startProxy({ port: await findPrimaryPort(mongoUrl), rewrite });
    cleanUp(t, () => proxy.close());
    const { postgresUrl } = sandbox;
    const servers = { mongoUrl, postgresUrl, commandMongoUrl: proxy.url(mongoUrl) };
    return await setSceneOn(t, servers, count, plainPool);
  }
  const pause = { point: 'primary-after-ack', hit: 12 } as const;

  it('dropped: the run is not finished', async (t) => {
    const scene = await setWithoutUuid(t);
    const run = await actAt(t, scene, pause, () => scene.collection.drop());
    assertCode(run, ExitCode.source);
    assert.match(run.stderr, changes.dropped?.message ?? /^$/);
    await assertUnfinished(scene);
  });

  it('recreated: none of the read documents exists, and the run is neither finished nor resumed', async (t) => {
    const scene = await setWithoutUuid(t);
    const run = await actAt(t, scene, pause, () => recreate(scene, 10_000));
    assertCode(run, ExitCode.source);
    assert.match(run.stderr, /none of the last documents read from \w+\.things exists any more/);
    assert.equal(await countRows(scene, '_id >= 10000'), 0);
    const committed = await countRows(scene, 'true');
    const again = await scene.run();
    assertCode(again, ExitCode.source);
    assert.equal(await countRows(scene, 'true'), committed);
    await assertUnfinished(scene);
  });

  it('half of its documents deleted: these are only writes during the copy', async (t) => {
    const scene = await setWithoutUuid(t);
    const run = await actAt(t, scene, pause, () => scene.collection.deleteMany({ even: true }));
    assertCode(run, 0);
  });
});

describe('the file of a run', () => {
  const pause = { point: 'primary-after-ack', hit: 5 } as const;

  async function setDump(t: TestContext): Promise<{ scene: Scene; path: string; documents: Buffer[] }> {
    const scene = await set(t);
    const found = await scene.collection.find({}, { raw: true }).toArray();
    const documents = found as unknown as Buffer[];
    const path = join(await makeDirectory(t), 'things.bson');
    await writeFile(path, dumpBson(documents));
    return { scene, path, documents };
  }

  for (const [what, { change, message }] of Object.entries({
    'truncated between two documents': {
      change: (path: string, documents: Buffer[]) => writeFile(path, dumpBson(documents.slice(0, 500))),
      message: /the dump \S+ was changed while it was read/,
    },
    'appended to by the program that writes it': {
      change: (path: string) => appendFile(path, dumpBson(documentsOf(10, count))),
      message: /the dump \S+ was changed while it was read/,
    },
    'replaced by another': {
      change: async (path: string) => {
        await writeFile(`${path}.new`, dumpBson(documentsOf(count, 1)));
        await rename(`${path}.new`, path);
      },
      message: /the dump \S+ was changed while it was read/,
    },
    deleted: {
      change: (path: string) => rm(path),
      message: /the dump \S+ no longer exists/,
    },
  })) {
    it(`${what}, between pages, and in verify: nothing is finished or equal`, async (t) => {
      const { scene, path, documents } = await setDump(t);
      const whole = dumpBson(documents);
      const args = ['--source', path];
      const run = await actAt(t, scene, { ...pause, args }, () => change(path, documents));
      assertCode(run, ExitCode.source);
      assert.match(run.stderr, message);
      await assertUnfinished(scene);
      await writeFile(path, whole);
      assertCode(await scene.run({}, ...args), 0);
      await scene.assertEqual();

      const verify = { point: 'worker-before-ack', hit: 3, args: ['verify', ...args] } as const;
      const verified = await actAt(t, scene, verify, () => change(path, documents));
      assertCode(verified, ExitCode.source);
      assert.match(verified.stderr, message);
    });

    it(`${what} when the last page was read: the run is not finished`, async (t) => {
      const { scene, path, documents } = await setDump(t);
      const last = { point: 'primary-before-load-checkpoint', hit: 1, args: ['--source', path] } as const;
      const run = await actAt(t, scene, last, () => change(path, documents));
      assertCode(run, ExitCode.source);
      assert.match(run.stderr, message);
      await assertUnfinished(scene);
    });
  }
});

describe('the server of a run', () => {
  let mongo: PrivateMongo;
  before(async () => {
    mongo = await startPrivateMongo();
  });
  after(async () => {
    await mongo.remove();
  });

  it('killed, and started on an empty data folder: the run is not finished', async (t) => {
    const sandbox = await createSandbox();
    cleanUp(t, () => sandbox.remove());
    const servers = { mongoUrl: mongo.url, postgresUrl: sandbox.postgresUrl };
    const scene = await setSceneOn(t, servers, count, plainPool);
    const failpoints = await setFailpoints(t, { 'primary-after-ack': 'pause@5' });
    let isTriedAgain = false;
    const env = { ...failpoints.env, MONGO_URL: withShortSelection(mongo.url) };
    const running = act(scene.start(env), (event) => {
      isTriedAgain ||= event.kind === 'retried' && event.server === 'mongodb';
    });
    await failpoints.waitUntilFired('primary-after-ack');
    await mongo.stop('kill');
    await failpoints.resume('primary-after-ack');
    // If it were back before the next page, the run would not notice the outage.
    await waitUntil('a page is tried again', () => Promise.resolve(isTriedAgain));
    await mongo.startEmpty();
    const run = await running;
    assertCode(run, ExitCode.source);
    assert.match(run.stderr, /the collection \w+\.things no longer exists/);
    await assertUnfinished(scene);
  });
});
