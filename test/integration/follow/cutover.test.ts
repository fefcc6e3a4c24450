/** The end of following: only when writes have stopped, everything is merged, and the comparison finds all equal. */

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { ExitCode } from '../../../src/common/errors.ts';
import { runCli, type CliResult } from '../../support/cli.ts';
import { requireEqual, startFollowing, untilMerged, type Following } from '../../support/follow.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';

interface Thing {
  _id: number;
  name: string;
}

describe('cutover', () => {
  let sandbox: Sandbox;
  let following: Following;
  let env: Readonly<Record<string, string>>;
  const things = () => sandbox.db.collection<Thing>('things');
  const cutOver = (...args: string[]): Promise<CliResult> =>
    runCli(['cutover', ...args], { CLUSTER_SIZE: '1', ...env });

  before(async () => {
    sandbox = await createSandbox();
    // Nothing is compared before the cut-over, which compares all.
    env = { ...sandbox.env, MONGO_COLLECTION: 'things', VERIFY_SHARE: '0%' };
  });
  after(async () => {
    await sandbox.remove();
  });
  beforeEach(async () => {
    await things().drop();
    await things().insertMany(Array.from({ length: 1_000 }, (_, _id) => ({ _id, name: `thing ${_id}` })));
    following = startFollowing(env, ['--restart']);
    await following.until('following');
  });
  afterEach(async () => {
    await following.stop();
  });

  it('ends following when all is equal, and reports that when it is repeated', async () => {
    await things().updateMany({}, { $set: { name: 'changed' } });
    const check = await cutOver('--check');
    assert.equal(check.code, ExitCode.ok, check.stderr);
    const { code, stderr, stdout } = await cutOver();
    assert.equal(code, ExitCode.ok, stdout + stderr);
    assert.match(stdout, /are equal/);
    const followed = await following.result;
    assert.equal(followed.code, ExitCode.ok, followed.stderr);
    assert.ok(following.events.some(({ kind }) => kind === 'cut-over'));
    const again = await cutOver();
    assert.equal(again.code, ExitCode.ok, again.stderr);
    assert.match(again.stderr, /was cut over before/);
    const status = await runCli(['status'], env);
    assert.match(status.stdout, /stream \d+: .*: cut over/);
  });

  // Red where late changes are not counted: it waits until the writes stop.
  it('refuses while there are writes, and following continues', async () => {
    let isWriting = true;
    const write = async (): Promise<void> => {
      for (let n = 0; isWriting; n++) {
        await things().updateOne({ _id: n % 100 }, { $set: { name: `write ${n}` } });
      }
    };
    const writing = write();
    const { code, stderr } = await cutOver();
    isWriting = false;
    await writing;
    assert.equal(code, ExitCode.notReady, stderr);
    assert.match(stderr, /still written to: things, [\d,]+ changes? since/);
    await untilMerged(sandbox, following);
    await requireEqual(env);
    const { code: quiet, stderr: why } = await cutOver();
    assert.equal(quiet, ExitCode.ok, why);
  });

  // Red where the result of the comparison is ignored.
  it('fails where a row was tampered with, and repair copies only what differs', async () => {
    await sandbox.client.query(
      `UPDATE things SET name = 'tampered' WHERE _id IN (5, 6);
       DELETE FROM things WHERE _id = 7;
       INSERT INTO things (_id, name) VALUES (5000, 'surplus')`,
    );
    const { code, stdout } = await cutOver();
    assert.equal(code, ExitCode.different, stdout);
    assert.match(stdout, /DIFFER/);
    const check = await cutOver('--check');
    assert.equal(check.code, ExitCode.ok, check.stderr);
    await following.stop();
    const gone = await cutOver();
    assert.equal(gone.code, ExitCode.notReady, gone.stderr);
    assert.match(gone.stderr, /no process follows/);
    const repaired = await runCli(['repair'], { CLUSTER_SIZE: '1', ...env });
    assert.equal(repaired.code, ExitCode.ok, repaired.stderr);
    assert.match(repaired.stderr, /things: 3 documents to copy again; deleted 1 row without a document/);
    following = startFollowing(env);
    await following.until('following');
    await untilMerged(sandbox, following);
    await requireEqual(env);
    const { rows } = await sandbox.client.query<{ merged: number }>(
      'SELECT sum(inserted + updated)::int AS merged FROM mongo2pg.slots JOIN mongo2pg.streams USING (stream_id) WHERE ended_at IS NULL',
    );
    assert.equal(rows[0]?.merged, 3);
  });

  it('reports that nothing is followed', async () => {
    const { code, stderr } = await runCli(['cutover'], { ...env, MONGO_COLLECTION: 'others' });
    assert.equal(code, ExitCode.usage, stderr);
    assert.match(stderr, /no collection of .* \(others\) is followed/);
  });

  it('does not change following when it is interrupted', async () => {
    await sandbox.client.query('BEGIN; LOCK TABLE things IN ACCESS EXCLUSIVE MODE');
    await things().insertOne({ _id: 9_000, name: 'held up' });
    const { startCli } = await import('../../support/cli.ts');
    const running = startCli(['cutover', '--json'], { CLUSTER_SIZE: '1', ...env });
    await new Promise<void>((resolve) => {
      running.process.stdout?.on('data', (text: string) => {
        if (text.includes('waiting for all changes')) resolve();
      });
    });
    running.process.kill('SIGINT');
    const { code, stderr } = await running.result;
    assert.equal(code, ExitCode.sigint, stderr);
    const { rows } = await sandbox.client.query<{ isOpen: boolean }>(
      'SELECT end_time IS NULL AND ended_at IS NULL AS "isOpen" FROM mongo2pg.streams ORDER BY stream_id DESC LIMIT 1',
    );
    assert.equal(rows[0]?.isOpen, true);
    await sandbox.client.query('COMMIT');
    await untilMerged(sandbox, following);
    await requireEqual(env);
  });
});
