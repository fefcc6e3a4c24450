import assert from 'node:assert/strict';
import { after, before, describe, it, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { ExitCode } from '../../src/common/errors.ts';
import type { FailpointName } from '../../src/common/failpoints/rules.ts';
import { createRandom } from '../../src/common/random.ts';
import {
  describeCitus,
  lacksCitus,
  startCitus,
  type CitusCluster,
  type CitusServer,
} from '../support/citus.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { assertCode, setSceneOn, type Scene } from '../support/fault.ts';
import { mongoUrl } from '../support/servers.ts';

/** By default each window is tested once; `npm run soak:citus` tests all of them with each server, repeatedly. */
const crashes = Number(process.env.TEST_CITUS_CRASHES ?? 9);
const random = createRandom(Number(process.env.TEST_CITUS_SEED ?? 1));

const count = 600;
/** Its text is rejected by PostgreSQL: it becomes a dead letter. */
const letter = 321;
/** Until it is started again. */
const longestAwayMs = 1_500;
/** PostgreSQL's maximum: a commit then pauses between its steps for long enough to be observed. */
const commitDelay = 100_000;

interface Window {
  readonly name: string;
  readonly failpoint: FailpointName;
  /** The hit at which it pauses. */
  readonly hit: number;
  /** The servers whose commits are delayed: the one that has begun them, or the others. The crash follows once one is prepared. */
  readonly delayed?: 'decider' | 'others';
  /** The crash happens within so many ms after the command continues. */
  readonly withinMs?: number;
}

const windows: readonly Window[] = [
  { name: 'in COMMIT, undecided', failpoint: 'worker-before-commit', hit: 3, delayed: 'decider' },
  { name: 'in COMMIT, decided', failpoint: 'worker-before-commit', hit: 3, delayed: 'others' },
  { name: 'before the claim', failpoint: 'worker-before-claim', hit: 3 },
  { name: 'in COPY', failpoint: 'worker-in-copy', hit: 3 },
  { name: 'before COMMIT', failpoint: 'worker-before-commit', hit: 3 },
  { name: 'after COMMIT', failpoint: 'worker-before-ack', hit: 3 },
  { name: 'while tables are made', failpoint: 'primary-after-plan', hit: 1, withinMs: 400 },
  { name: 'when all is loaded', failpoint: 'primary-before-load-checkpoint', hit: 1 },
  { name: 'while indexes are built', failpoint: 'primary-in-index-build', hit: 1, withinMs: 400 },
];

/** Those of a batch, in which it matters through which server it is loaded. */
const batchWindows = windows.filter(({ name }) => !name.startsWith('while'));

/** Each server in COMMIT, and one in each other window; `npm run soak:citus` tests all of them. */
function* listThroughNode(): Generator<{ window: Window; victim: number }> {
  const isSoak = crashes > windows.length;
  for (const [place, window] of batchWindows.entries()) {
    const victims = isSoak || window.delayed !== undefined ? [0, 1, 2] : [place % 3];
    for (const victim of victims) yield { window, victim };
  }
}

describe(`a crash of Citus (${describeCitus() ?? 'none here'})`, { skip: lacksCitus() }, () => {
  let citus: CitusCluster;
  const found: string[] = [];
  before(async () => {
    // PostgreSQL delays only commits that wait for a disk.
    citus = await startCitus({ fsync: true });
  });
  after(async () => {
    await citus.remove();
    for (const line of found) console.log(`# ${line}`);
  });

  /** @param through the server that workers connect to, and that decides the commits */
  function crash(title: string, window: Window, victim: number, through: number): void {
    const who = victim === 0 ? 'the coordinator' : `node ${victim}`;
    it(`${title}: of ${who} ${window.name}: each document is there once`, async (t) => {
      const servers = [citus.coordinator, ...citus.nodes];
      const [decider, server] = [servers[through], servers[victim]];
      assert.ok(decider !== undefined && server !== undefined);
      const scene = await setCrashScene(t, citus);
      await delayCommits(citus, decider, window);
      const isTold = await runHurt(t, scene, citus, { server, decider, window });
      await delayCommits(citus, decider, {});
      await assertOnce(citus.url);
      found.push(`${title}: ${who}, ${window.name}: equal${isTold ? ', after it was tried again' : ''}`);
    });
  }

  for (let number = 0; number < crashes; number++) {
    const window = windows[number % windows.length];
    if (window === undefined) throw new RangeError('there are windows');
    crash(String(number + 1), window, (number + Math.floor(number / windows.length)) % 3, 0);
  }
  for (const { window, victim } of listThroughNode()) crash('loading through node 1', window, victim, 1);
});

async function setCrashScene(t: TestContext, { url }: CitusCluster): Promise<Scene> {
  await query(url, 'DROP TABLE IF EXISTS things_tags, things; DROP SCHEMA IF EXISTS mongo2pg CASCADE');
  const scene = await setSceneOn(t, { mongoUrl, postgresUrl: url }, count, 'inline');
  await scene.collection.updateMany({}, { $set: { tags: [{ a: 1 }, { a: 2 }] } });
  await scene.collection.updateOne({ _id: letter as never }, { $set: { text: 'a\0b' } });
  await scene.db.command({ createIndexes: 'things', indexes: [{ key: { text: 1 }, name: 'text_1' }] });
  return scene;
}

interface Hurt {
  readonly server: CitusServer;
  /** Through which is loaded. */
  readonly decider: CitusServer;
  readonly window: Window;
}

/**
 * Runs the command while the server is crashed and started again.
 * @returns whether it has reported that
 */
async function runHurt(
  t: TestContext,
  scene: Scene,
  citus: CitusCluster,
  { server, decider, window }: Hurt,
): Promise<boolean> {
  const { failpoint, hit, delayed, withinMs } = window;
  const failpoints = await setFailpoints(t, { [failpoint]: `pause@${hit}` });
  const node = decider === citus.coordinator ? {} : { CITUS_NODE_URL: decider.url };
  const env = { DISTRIBUTE: 'true', PLAN_SCHEMA: 'relational', ...node };
  const running = scene.run({ ...env, ...failpoints.env });
  await failpoints.waitUntilFired(failpoint);
  if (delayed !== undefined) {
    const seen = untilPrepared(citus, decider);
    await failpoints.resume(failpoint);
    await seen;
    await server.crash();
  } else {
    if (withinMs !== undefined) {
      await failpoints.resume(failpoint);
      await delay(random.below(withinMs));
    }
    await server.crash();
    await failpoints.resume(failpoint);
  }
  await delay(random.below(longestAwayMs));
  await server.start();
  const run = await running;
  assertCode(run, ExitCode.deadLetters);
  return run.stdout.includes('"kind":"retried"');
}

/** Resolves as soon as another server than the one that decides has a transaction that is prepared, and not ended. */
async function untilPrepared({ coordinator, nodes }: CitusCluster, decider: CitusServer): Promise<void> {
  const others = [coordinator, ...nodes].filter((server) => server !== decider);
  const clients = await Promise.all(others.map(({ url }) => connect(url)));
  try {
    for (;;) {
      for (const client of clients) {
        const { rowCount } = await client.query('SELECT FROM pg_prepared_xacts');
        if ((rowCount ?? 0) > 0) return;
      }
    }
  } finally {
    await Promise.all(clients.map((client) => client.end()));
  }
}

async function delayCommits(
  { coordinator, nodes }: CitusCluster,
  decider: CitusServer,
  { delayed }: Pick<Window, 'delayed'>,
): Promise<void> {
  for (const server of [coordinator, ...nodes]) {
    const isDelayed = delayed !== undefined && (delayed === 'decider') === (server === decider);
    await query(server.url, `ALTER SYSTEM SET commit_delay = ${isDelayed ? commitDelay : 0}`);
    await query(server.url, 'ALTER SYSTEM SET commit_siblings = 0');
    await query(server.url, 'SELECT pg_reload_conf()');
  }
}

/** By connections of its own, and by nothing that the tool has read or written. */
async function assertOnce(url: string): Promise<void> {
  const client = await connect(url);
  try {
    const ids = Array.from({ length: count }, (_, id) => id).filter((id) => id !== letter);
    const { rows } = await client.query('SELECT _id, text, even FROM things ORDER BY 1');
    assert.deepEqual(
      rows,
      ids.map((_id) => ({ _id, text: `text ${_id}`, even: _id % 2 === 0 })),
    );
    const { rows: children } = await client.query('SELECT _id, a FROM things_tags ORDER BY 1, 2');
    assert.deepEqual(
      children,
      ids.flatMap((_id) => [1, 2].map((a) => ({ _id, a }))),
    );
    const { rows: letters } = await client.query('SELECT document_id AS id FROM mongo2pg.dead_letters');
    assert.deepEqual(letters, [{ id: `{"$numberInt":"${letter}"}` }]);
    const { rows: keys } = await client.query(
      "SELECT indexname AS name FROM pg_indexes WHERE tablename IN ('things', 'things_tags') ORDER BY 1",
    );
    assert.deepEqual(
      keys.map(({ name }: { name: string }) => name),
      ['things_pkey', 'things_tags_pkey', 'things_text_1'],
    );
  } finally {
    await client.end();
  }
}

async function query(url: string, sql: string): Promise<void> {
  const client = await connect(url);
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  // A server that is crashed ends this connection too.
  client.on('error', () => undefined);
  await client.connect();
  return client;
}
