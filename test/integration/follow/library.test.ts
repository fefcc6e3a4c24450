/** Following as calls of the library: the same as the commands, with outcomes, events and errors for programs. */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  createMetrics,
  cutover,
  ExitCode,
  follow,
  migrate,
  MigrationError,
  repair,
  status,
  UsageError,
  type Listener,
  type Outcome,
  type RunEvent,
} from '../../../src/index.ts';
import { waitUntil } from '../../support/embedded.ts';
import { untilMerged } from '../../support/follow.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';

interface Thing {
  _id: number;
  name: string;
}

/** A call of `follow` that runs beside the test. */
interface Call {
  readonly events: RunEvent[];
  readonly outcome: Promise<Outcome>;
  readonly stop: AbortController;
  untilFollowing(): Promise<void>;
}

describe('following as calls', () => {
  let sandbox: Sandbox;
  let settings: Parameters<typeof follow>[0];
  const things = () => sandbox.db.collection<Thing>('things');

  before(async () => {
    sandbox = await createSandbox();
    settings = {
      ...{ mongoUrl: sandbox.env.MONGO_URL ?? '', mongoDb: sandbox.mongoDb, mongoCollection: 'things' },
      ...{ postgresUrl: sandbox.postgresUrl, clusterImplementation: 'inline', clusterSize: 1 },
    };
    await things().insertMany(Array.from({ length: 500 }, (_, _id) => ({ _id, name: `thing ${_id}` })));
  });
  after(() => sandbox.remove());

  function call(more: Pick<Listener, 'listeners'> = {}): Call {
    const events: RunEvent[] = [];
    const stop = new AbortController();
    const onEvent = (event: RunEvent): void => {
      events.push(event);
    };
    const outcome = follow(settings, { ...more, onEvent, signal: stop.signal });
    let ending: Promise<Outcome> | null = null;
    outcome.catch(() => {
      ending = outcome;
    });
    return {
      ...{ events, outcome, stop },
      untilFollowing: () =>
        waitUntil('it follows', async () => {
          await ending;
          return events.some(({ kind }) => kind === 'following');
        }),
    };
  }

  const failureOf = async (promise: Promise<unknown>): Promise<MigrationError> => {
    const error = await promise.then(() => assert.fail('it did not fail')).catch((thrown: unknown) => thrown);
    assert.ok(error instanceof MigrationError, String(error));
    return error;
  };

  it('refuses unknown settings, and collections that are not followed', async () => {
    const unknown = await failureOf(migrate({ ...settings, follow: true } as typeof settings));
    assert.ok(unknown instanceof UsageError);
    assert.equal(unknown.code, 'SETTING_UNKNOWN');
    const dump = { ...settings, mongoUrl: undefined, source: 'dump' };
    assert.equal((await failureOf(cutover(dump as never))).code, 'SETTING_UNKNOWN');
    assert.equal((await failureOf(cutover({ ...settings, mongoUrl: '' }))).code, 'URL_MISSING');
    const { postgresUrl } = settings;
    assert.equal((await failureOf(status({ postgresUrl }))).code, 'LEDGER_MISSING');
    const { code, exitCode, fix } = await failureOf(cutover(settings));
    assert.deepEqual([code, exitCode], ['NOT_FOLLOWED', ExitCode.usage]);
    assert.match(fix, /MONGO_COLLECTION/);
  });

  it('copies and follows until it is stopped, and resumes with the next call', async () => {
    const first = call();
    await first.untilFollowing();
    await things().updateMany({ _id: { $lt: 100 } }, { $set: { name: 'changed' } });
    await untilMerged(sandbox);
    const ready = await cutover({ ...settings, check: true });
    assert.deepEqual(ready, { state: 'ready', leftOut: [], summaries: [] });
    const { streams } = await status(target());
    assert.deepEqual(
      streams.map(({ state, updated, obstacles }) => ({ state, updated, obstacles })),
      [{ state: 'following', updated: 100, obstacles: [] }],
    );
    const second = await failureOf(call().outcome);
    assert.deepEqual([second.code, second.exitCode], ['STREAM_BUSY', ExitCode.usage]);
    const reason = new Error('the program ends');
    first.stop.abort(reason);
    await assert.rejects(first.outcome, reason);
    const [stopped] = (await status(target())).streams;
    assert.equal(stopped?.state, 'stopped');
    const { code, exitCode } = await failureOf(cutover(settings));
    assert.deepEqual([code, exitCode], ['CUTOVER_NOT_READY', ExitCode.notReady]);
  });

  it('repairs what differs, and reports how much that is for each collection', async () => {
    await sandbox.client.query(
      `UPDATE things SET name = 'tampered' WHERE _id IN (5, 6); DELETE FROM things WHERE _id = 7;
       INSERT INTO things (_id, name) VALUES (9000, 'surplus')`,
    );
    const aborted = AbortSignal.abort(new Error('not now'));
    await assert.rejects(repair(settings, { signal: aborted }), /not now/);
    const summaries = await repair(settings);
    assert.deepEqual(
      summaries.map(({ missing, different, extra }) => ({ missing, different, extra })),
      [{ missing: 1, different: 2, extra: 1 }],
    );
  });

  it('is cut over, and the call that follows returns', async () => {
    const metrics = await createMetrics();
    const following = call({ listeners: [metrics] });
    await following.untilFollowing();
    // The differences that the repair has found are merged first.
    await waitUntil('nothing is in the way of a cutover', async () =>
      /^mongo2pg_can_cut_over 1$/m.test(await metrics.read()),
    );
    await things().insertOne({ _id: 1_000, name: 'the last' });
    const kinds = new Set<string>();
    // Otherwise the number that was compared in the background depends on chance.
    const { state, summaries } = await cutover(
      { ...settings, compareAll: true },
      {
        onEvent: ({ kind }) => {
          kinds.add(kind);
        },
      },
    );
    assert.deepEqual([state, summaries.map(({ equal }) => equal)], ['now', [501]]);
    assert.ok(
      ['notice', 'verifying', 'verified', 'cut-over'].every((kind) => kinds.has(kind)),
      [...kinds].join(),
    );
    const { failures, copiedBefore } = await following.outcome;
    assert.deepEqual([failures, copiedBefore.map(({ copied }) => copied)], [[], [500]]);
    assert.ok(following.events.some(({ kind }) => kind === 'cut-over'));
    assert.deepEqual(await cutover(settings), { state: 'before', leftOut: [], summaries: [] });
    assert.equal((await status(target())).streams[0]?.state, 'cut over');
  });

  /** The fields of a copy's status. */
  function target(): Parameters<typeof status>[0] {
    return { postgresUrl: settings.postgresUrl };
  }
});
