/** Documents are compared while they are followed, so that a cut-over compares only what was written since. */

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { ExitCode } from '../../../src/common/errors.ts';
import type { RunEvent } from '../../../src/observe/events.ts';
import type { ProofState } from '../../../src/observe/follow-events.ts';
import { runCli, type CliResult } from '../../support/cli.ts';
import { requireEqual, startFollowing, untilMerged, type Following } from '../../support/follow.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';

interface Thing {
  _id: number;
  name: string;
}

const amount = 20_000;

describe('documents that are compared while they are followed', () => {
  let sandbox: Sandbox;
  let following: Following;
  let env: Readonly<Record<string, string>>;
  const things = () => sandbox.db.collection<Thing>('things');
  const cutOver = async (...args: string[]): Promise<CliResult & { readonly events: RunEvent[] }> => {
    const result = await runCli(['cutover', '--json', ...args], { CLUSTER_SIZE: '1', ...env });
    const lines = result.stdout.split('\n').filter((line) => line.startsWith('{'));
    return { ...result, events: lines.map((line) => JSON.parse(line) as RunEvent) };
  };
  const nextEvent = async (isWanted: (proof: ProofState | null) => boolean = () => true): Promise<void> => {
    const reported = following.events.length;
    await following.until('following', (event) => {
      const isNew = following.events.indexOf(event) >= reported;
      return isNew && isWanted(event.collections[0]?.proof ?? null);
    });
  };
  /** Waits for a state of the proof; it is counted every other second. */
  const untilProven = (isWanted: (proof: ProofState) => boolean): Promise<void> =>
    nextEvent((proof) => proof?.verifiedAt != null && isWanted(proof));
  const change = (name: string, ids: number[]) =>
    things().updateMany({ _id: { $in: ids } }, { $set: { name } });

  before(async () => {
    sandbox = await createSandbox();
    env = { ...sandbox.env, MONGO_COLLECTION: 'things', VERIFY_SHARE: '100%' };
    await things().insertMany(Array.from({ length: amount }, (_, _id) => ({ _id, name: `thing ${_id}` })));
  });
  after(async () => {
    await sandbox.remove();
  });
  beforeEach(async () => {
    following = startFollowing(env, ['--restart']);
    await following.until('following');
  });
  afterEach(async () => {
    await following.stop();
  });

  it('are not compared again at a cutover, which compares what was written since', async () => {
    let isWriting = true;
    const write = async (): Promise<void> => {
      for (let n = 0; isWriting; n++) {
        await change(`write ${n}`, [n % amount, (n * 7) % amount]);
        await things().deleteOne({ _id: amount + n - 50 });
        await things().insertOne({ _id: amount + n, name: 'new' });
        // A rate that leaves the machine time for the comparison.
        if (n % 5 === 4) await nextEvent();
      }
    };
    const writing = write();
    await untilProven(() => true);
    isWriting = false;
    await writing;
    await untilMerged(sandbox, following);
    await untilProven(({ unverified, different }) => unverified === 0 && different === 0);
    // Stopped, so that nothing is compared of what is written now before the cut-over.
    await following.stop();
    await change('at the last moment', [1, 2, 3]);
    await things().deleteOne({ _id: 4 });
    await things().insertOne({ _id: -1, name: 'new' });
    following = startFollowing({ ...env, VERIFY_SHARE: '0%' });
    await following.until('following');
    const { code, stderr, events } = await cutOver();
    assert.equal(code, ExitCode.ok, stderr);
    const [verified] = events.filter((event) => event.kind === 'verified');
    assert.equal(verified?.compared, 5);
    assert.equal(verified.equal, 5);
    assert.equal(verified.verifiedBefore, (await things().countDocuments()) - 5);
    await requireEqual(env);
  });

  it('are not different while a change is in flight', async () => {
    await untilProven(({ unverified }) => unverified === 0);
    for (let round = 0; round < 20; round++) {
      await change(`round ${round}`, [10, 11, 12, 13]);
      await things().deleteMany({ _id: { $gte: 20, $lt: 25 } });
      await things().insertMany([20, 21, 22, 23, 24].map((_id) => ({ _id, name: `again ${round}` })));
    }
    await untilMerged(sandbox, following);
    await untilProven(({ unverified }) => unverified === 0);
    assert.ok(
      following.events.every(
        (event) => event.kind !== 'following' || (event.collections[0]?.proof?.different ?? 0) === 0,
      ),
    );
  });

  for (const [what, statement] of [
    ['was changed', `UPDATE things SET name = 'tampered' WHERE _id = 7`],
    ['was deleted', 'DELETE FROM things WHERE _id = 7'],
    ['is of no document', `INSERT INTO things (_id, name) VALUES (-7, 'surplus')`],
    [
      'was deleted and one without a document was inserted',
      `DELETE FROM things WHERE _id = 7; INSERT INTO things (_id, name) VALUES (-7, 'surplus')`,
    ],
    [
      'was changed in a savepoint',
      `BEGIN; SAVEPOINT s; UPDATE things SET name = 'tampered' WHERE _id = 7; RELEASE s; COMMIT`,
    ],
  ] as const) {
    // Red where rows of other writers are not searched for, except for those that the number of rows shows as well.
    it(`fail a cutover if a row ${what} since`, async () => {
      await untilProven(({ unverified }) => unverified === 0);
      await sandbox.client.query(statement);
      const { code, stderr, events } = await cutOver();
      assert.equal(code, ExitCode.different, stderr);
      assert.ok(
        events.some((event) => event.kind === 'verified' && event.verifiedBefore === undefined),
        'all was compared',
      );
    });
  }

  it('are different if a row was changed before it was compared, until it is changed back', async () => {
    await following.stop();
    await sandbox.client.query(`UPDATE things SET name = 'tampered' WHERE _id IN (8, 9)`);
    following = startFollowing(env);
    await untilProven(({ different }) => different === 2);
    const check = await cutOver('--check');
    assert.equal(check.code, ExitCode.different, check.stderr);
    const { code, events } = await cutOver();
    assert.equal(code, ExitCode.different);
    assert.ok(events.some((event) => event.kind === 'verified' && event.different === 2));
    // A new change of a document is merged, whatever its row was.
    await change('healed', [8, 9]);
    await untilMerged(sandbox, following);
    await untilProven(({ different, unverified }) => different === 0 && unverified === 0);
    const healed = await cutOver();
    assert.equal(healed.code, ExitCode.ok, healed.stderr);
  });

  it('are all compared again with --compare-all', async () => {
    await untilProven(({ unverified }) => unverified === 0);
    const { code, stderr, events } = await cutOver('--compare-all');
    assert.equal(code, ExitCode.ok, stderr);
    const [verified] = events.filter((event) => event.kind === 'verified');
    assert.equal(verified?.compared, await things().countDocuments());
  });
});
