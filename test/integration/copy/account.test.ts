/** The counts of the reader, the ledger and the tables must agree before a run counts as done. */

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { ExitCode } from '../../../src/common/errors.ts';
import type { FailpointName } from '../../../src/common/failpoints/rules.ts';
import { plainPool } from '../../support/cli.ts';
import { createClient } from '../../support/date-style.ts';
import { cleanUp } from '../../support/embedded.ts';
import { setFailpoints } from '../../support/failpoints.ts';
import { assertCode, setScene, type FaultRun, type Scene } from '../../support/fault.ts';

/** While a run waits there, another session writes. */
async function runWithWrite(
  t: TestContext,
  scene: Scene,
  point: FailpointName,
  sql: string,
): Promise<FaultRun> {
  const failpoints = await setFailpoints(t, { [point]: 'pause' });
  const running = scene.run(failpoints.env);
  await failpoints.waitUntilFired(point);
  await scene.query(sql);
  await failpoints.resume(point);
  return await running;
}

describe('a run whose reconciliation fails', () => {
  for (const [what, point, sql, said, donePhases] of [
    [
      'the ledger has one row fewer than were read',
      'primary-before-load-checkpoint',
      `UPDATE mongo2pg.batches SET documents = documents - 1, copied = copied - 1
        WHERE (range_no, batch) = (SELECT range_no, batch FROM mongo2pg.batches WHERE copied > 0 LIMIT 1)`,
      /the account does not balance: read 300, copied 299, dead-lettered 0/,
      [],
    ],
    [
      'the table has one row fewer than the ledger',
      'primary-in-index-build',
      'DELETE FROM things WHERE _id = 7',
      /rows copied 300, in the table before 0, after 299;/,
      ['copy'],
    ],
    [
      'the table has one row more than the ledger',
      'primary-in-index-build',
      'INSERT INTO things (_id) VALUES (-1)',
      /rows copied 300, in the table before 0, after 301;/,
      ['copy'],
    ],
  ] as const) {
    it(`${what}: ends with ACCOUNT_UNBALANCED, and the phase is not done`, async (t) => {
      const scene = await setScene(t, 300, plainPool);
      const run = await runWithWrite(t, scene, point, sql);
      assertCode(run, ExitCode.target);
      assert.match(run.stderr, said);
      assert.match(run.stdout, /"kind":"error","code":"ACCOUNT_UNBALANCED"/);
      assert.equal(run.summary, undefined);
      const done = await scene.query<{ phase: string }>(
        'SELECT phase FROM mongo2pg.phases WHERE done_at IS NOT NULL',
      );
      assert.deepEqual(
        done.map(({ phase }) => phase),
        donePhases,
      );
    });
  }

  it('fails as well if a transaction still sees the deleted row', async (t) => {
    const scene = await setScene(t, 300, plainPool);
    const failpoints = await setFailpoints(t, { 'primary-in-index-build': 'pause' });
    const running = scene.run(failpoints.env);
    await failpoints.waitUntilFired('primary-in-index-build');
    const reader = createClient(scene.env.POSTGRES_URL ?? '');
    await reader.connect();
    cleanUp(t, () => reader.end());
    await reader.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    await reader.query('SELECT 1');
    await scene.query('DELETE FROM things WHERE _id = 7');
    await failpoints.resume('primary-in-index-build');
    const run = await running;
    assertCode(run, ExitCode.target);
    assert.match(run.stderr, /rows copied 300, in the table before 0, after 299;/);
  });
});
