import assert from 'node:assert/strict';
import { it } from 'node:test';
import { ExitCode } from '../../src/common/errors.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { act, assertCode, setScene } from '../support/fault.ts';

it('a ledger of many batches is folded, also by the next start, and dead letters can be retried after that', async (t) => {
  const scene = await setScene(t, 520);
  await scene.client.query(
    'CREATE TABLE things (_id int PRIMARY KEY, n int, text text, _extra jsonb, CONSTRAINT small CHECK (_id < 510))',
  );
  const failpoints = await setFailpoints(t, { 'primary-in-fold': 'kill' });
  const perDocument = { ITEMS_PER_PAGE: '1', IF_EXISTS: 'append' };
  const killed = await act(scene.start({ ...perDocument, ...failpoints.env }), () => undefined);
  assert.equal(killed.signal, 'SIGKILL');
  const count =
    'SELECT count(*)::int AS rows, sum(copied)::int AS copied, sum(dead_lettered)::int AS letters';
  const sums = { copied: 510, letters: 10 };
  assert.deepEqual(await scene.query(`${count} FROM mongo2pg.batches`), [{ rows: 520, ...sums }]);

  const run = await scene.run(perDocument);
  assertCode(run, ExitCode.deadLetters);
  const [folded] = await scene.query<{ rows: number }>(`${count} FROM mongo2pg.batches`);
  assert.deepEqual({ ...folded, rows: 0 }, { rows: 0, ...sums });
  assert.ok((folded?.rows ?? 0) < 100, `${folded?.rows} rows are left`);

  await scene.client.query('ALTER TABLE things DROP CONSTRAINT small');
  assertCode(await scene.run({}, 'retry'), 0);
  const [retried] = await scene.query<{ rows: number }>(`${count} FROM mongo2pg.batches`);
  assert.deepEqual(retried, { rows: folded?.rows, copied: 520, letters: 0 });
  await scene.assertEqual();
});
