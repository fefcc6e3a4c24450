/** The rows of a table are counted while its key is built, and not once more. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ExitCode } from '../../../src/common/errors.ts';
import { plainPool } from '../../support/cli.ts';
import { createClient } from '../../support/date-style.ts';
import { cleanUp } from '../../support/embedded.ts';
import { setFailpoints } from '../../support/failpoints.ts';
import { assertCode, setScene } from '../../support/fault.ts';

/** Reached before the key is built, and before each carried index. */
const point = 'primary-in-index-build';

describe('the rows of a table that a run has created', () => {
  it('are counted while its key is built: later writes of others do not count', async (t) => {
    const scene = await setScene(t, 300, plainPool);
    await scene.collection.createIndex({ text: 1 });
    const failpoints = await setFailpoints(t, { [point]: 'pause@2' });
    const running = scene.run(failpoints.env);
    await failpoints.waitUntilFired(point);
    await scene.query('INSERT INTO things (_id) VALUES (-1)');
    await failpoints.resume(point);
    const run = await running;
    assertCode(run, ExitCode.ok);
    assert.equal(run.summary?.rowsAfter, 300);
  });

  it('are counted again if an earlier process has built the key', async (t) => {
    const scene = await setScene(t, 300, plainPool);
    await scene.collection.createIndex({ text: 1 });
    const failpoints = await setFailpoints(t, { [point]: 'kill@2' });
    assert.equal((await scene.run(failpoints.env)).signal, 'SIGKILL');
    await scene.query('DELETE FROM things WHERE _id = 7');
    const run = await scene.run();
    assertCode(run, ExitCode.target);
    assert.match(run.stderr, /rows copied 300, in the table before 0, after 299;/);
  });

  it('are counted exactly, also if the key has entries for deleted ones that others still see', async (t) => {
    const scene = await setScene(t, 300, plainPool);
    const other = createClient(scene.env.POSTGRES_URL ?? '');
    await other.connect();
    cleanUp(t, () => other.end());
    const failpoints = await setFailpoints(t, { [point]: 'pause' });
    const running = scene.run(failpoints.env);
    await failpoints.waitUntilFired(point);
    await other.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM pg_class LIMIT 1');
    await scene.query('DELETE FROM things WHERE _id < 10');
    await scene.query('INSERT INTO things SELECT n FROM generate_series(0, 9) AS n');
    await failpoints.resume(point);
    const run = await running;
    assertCode(run, ExitCode.ok);
    assert.equal(run.summary?.rowsAfter, 300);
  });
});
