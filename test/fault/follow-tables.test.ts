/** Tables of other shapes, kept in step: child tables, the extra column, generated columns, an existing table. */

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { Document } from 'mongodb';
import { ExitCode } from '../../src/common/errors.ts';
import { makeDirectory, waitUntil } from '../support/embedded.ts';
import { assertCode } from '../support/fault.ts';
import { inline, setFollowScene, type FollowScene } from '../support/follow-scene.ts';
import { planWithLines } from '../support/plan-with-lines.ts';

async function verify(scene: FollowScene): Promise<void> {
  assertCode(await scene.run(inline, 'verify'), ExitCode.ok);
}

describe('tables that are kept in step', () => {
  // Seen red, with the next one, where a merge does not delete the old rows of child tables.
  it('of arrays that become longer, shorter, missing, another type, or are deleted with their document', async (t) => {
    const scene = await setFollowScene(t, 300);
    const { collection } = scene;
    const lines = (count: number): Document[] =>
      Array.from({ length: count }, (_, i) => ({ sku: `sku ${i}`, more: i }));
    await collection.updateMany({ even: true }, { $set: { lines: lines(3) } });
    const path = join(await makeDirectory(t), 'plan.json');
    await writeFile(path, JSON.stringify(planWithLines));
    const following = scene.follow(inline, '--plan', path);
    await following.until('following');
    const ids = (first: number): Document => ({ _id: { $gte: first, $lt: first + 20 } });
    await collection.updateMany(ids(0), { $push: { lines: { $each: lines(2) } } } as never);
    await collection.updateMany(ids(20), { $set: { lines: lines(1) } });
    await collection.updateMany(ids(40), { $set: { lines: [] } });
    await collection.updateMany(ids(60), { $unset: { lines: 1 } });
    await collection.updateMany(ids(80), { $set: { lines: 'no array', even: 'in the extra column' } });
    await collection.deleteMany(ids(100));
    await collection.insertMany(
      Array.from({ length: 20 }, (_, i) => ({ _id: (1_000 + i) as never, text: 'new', lines: lines(i % 4) })),
    );
    await scene.untilMerged(following);
    await verify(scene);
    const [counts] = await scene.query<{ lines: number; orphans: number }>(
      `SELECT count(*)::int AS lines, (count(*) FILTER (WHERE t.id IS NULL))::int AS orphans
         FROM thing_lines l LEFT JOIN things t ON t.id = l.thing_id`,
    );
    const [expected] = await collection
      .aggregate([
        { $project: { n: { $cond: [{ $isArray: '$lines' }, { $size: '$lines' }, 0] } } },
        { $group: { _id: 1, n: { $sum: '$n' } } },
      ])
      .toArray()
      .catch(async () => {
        const all = await collection.find().toArray();
        return [
          { n: all.reduce((sum, { lines: each }) => sum + (Array.isArray(each) ? each.length : 0), 0) },
        ];
      });
    assert.deepEqual(counts, { lines: expected?.n as number, orphans: 0 });
    // Refused in the child table: the document is a dead letter with all of its rows, until it is fixed.
    await collection.updateMany(ids(0), { $set: { lines: [{ sku: 'a\0b' }] } });
    await scene.untilMerged(following);
    await collection.updateMany(ids(0), { $set: { lines: lines(2) } });
    await scene.untilMerged(following);
    await verify(scene);
    await following.stop();
  });

  it('of arrays inside of arrays, and of flattened documents', async (t) => {
    const scene = await setFollowScene(t, 200);
    const { collection } = scene;
    const lines = (count: number): Document[] =>
      Array.from({ length: count }, (_, i) => ({
        sku: `sku ${i}`,
        from: { city: 'Rome', zip: i },
        taxes: Array.from({ length: i % 3 }, (__, rate) => ({ rate })),
      }));
    await collection.updateMany({}, { $set: { lines: lines(3) } });
    const path = join(await makeDirectory(t), 'plan.json');
    const [child] = planWithLines.children;
    const taxes = {
      path: 'taxes',
      table: 'thing_taxes',
      columns: [{ column: 'rate', path: 'rate', type: 'int32' }],
    };
    const nested = {
      ...child,
      keepEmpty: true,
      flatten: ['from'],
      columns: [...(child?.columns ?? []), { column: 'city', path: 'from.city', type: 'string' }],
      children: [taxes],
    };
    await writeFile(path, JSON.stringify({ ...planWithLines, children: [nested] }));
    const following = scene.follow(inline, '--plan', path);
    await following.until('following');
    const ids = (first: number): Document => ({ _id: { $gte: first, $lt: first + 20 } });
    await collection.updateMany(ids(0), { $push: { 'lines.2.taxes': { rate: 5 } } } as never);
    await collection.updateMany(ids(20), { $set: { 'lines.1.from': {}, 'lines.2.taxes': 'none' } });
    await collection.updateMany(ids(40), { $set: { lines: [] } });
    await collection.updateMany(ids(60), { $set: { lines: lines(9) } });
    await collection.deleteMany(ids(100));
    await collection.insertMany(
      Array.from({ length: 20 }, (_, i) => ({ _id: (1_000 + i) as never, text: 'new', lines: lines(i) })),
    );
    await scene.untilMerged(following);
    await verify(scene);
    const [counts] = await scene.query<{ lines: number; taxes: number }>(
      'SELECT (SELECT count(*)::int FROM thing_lines) AS lines, (SELECT count(*)::int FROM thing_taxes) AS taxes',
    );
    const all = await collection.find<{ lines: { taxes: unknown }[] }>({}).toArray();
    const sizes = all.flatMap((document) => document.lines.map(({ taxes: each }) => each));
    const inner = sizes.reduce<number>((sum, each) => sum + (Array.isArray(each) ? each.length : 0), 0);
    assert.deepEqual(counts, { lines: sizes.length, taxes: inner });
    // Refused in the innermost table: the document is a dead letter with all of its rows, until it is fixed.
    await collection.updateMany(ids(0), { $set: { 'lines.0.taxes': [{ rate: 1, of: 'a\0b' }] } });
    await scene.untilMerged(following);
    const [refused] = await scene.query<{ n: number }>(
      `SELECT (SELECT count(*) FROM things WHERE id < 20)::int
            + (SELECT count(*) FROM thing_taxes WHERE thing_id < 20)::int AS n`,
    );
    assert.deepEqual(refused, { n: 0 });
    await collection.updateMany(ids(0), { $set: { 'lines.0.taxes': [{ rate: 6 }] } });
    await scene.untilMerged(following);
    await verify(scene);
    await following.stop();
  });

  it('that existed, with a generated column, an identity, a default, a trigger and types without equality', async (t) => {
    const scene = await setFollowScene(t, 300);
    await scene.query(
      `CREATE TABLE things (
         row_no bigint GENERATED ALWAYS AS IDENTITY, _id integer NOT NULL UNIQUE, text varchar(40),
         shout text GENERATED ALWAYS AS (upper(text)) STORED, even boolean, written timestamptz NOT NULL DEFAULT now(),
         raw json, times integer NOT NULL DEFAULT 0);
       CREATE FUNCTION count_up() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.times = OLD.times + 1; RETURN NEW; END $$;
       CREATE TRIGGER count_up BEFORE UPDATE ON things FOR EACH ROW EXECUTE FUNCTION count_up()`,
    );
    await scene.collection.updateMany({ even: true }, { $set: { raw: { a: 1 } } });
    const env = { ...inline, IF_EXISTS: 'append' };
    const following = scene.follow(env);
    await following.until('following');
    const before = await scene.query('SELECT row_no, _id FROM things ORDER BY row_no');
    await scene.collection.updateMany(
      { _id: { $lt: 50 as never } },
      { $set: { text: 'changed', raw: { b: [1] } } },
    );
    // The write does not change the row.
    await scene.collection.updateMany(
      { _id: { $gte: 50 as never, $lt: 60 as never } },
      { $set: { text: 'x' } },
    );
    await scene.untilMerged(following);
    await verify(scene);
    const rows = await scene.query<{ isRight: boolean }>(
      'SELECT bool_and(shout = \'CHANGED\' AND times = 1) AS "isRight" FROM things WHERE _id < 50',
    );
    assert.deepEqual(rows, [{ isRight: true }]);
    assert.deepEqual(
      await scene.query('SELECT row_no, _id FROM things ORDER BY row_no'),
      before,
      'rows are updated',
    );
    // Too long for the column: there is no row until it fits again.
    await scene.collection.updateOne({ _id: 7 as never }, { $set: { text: 'x'.repeat(41) } });
    await waitUntil('it is a dead letter', async () => {
      const letters = await scene.query('SELECT FROM mongo2pg.dead_letters');
      return letters.length === 1;
    });
    await scene.collection.updateOne({ _id: 7 as never }, { $set: { text: 'short' } });
    await scene.collection.deleteMany({ _id: { $gte: 250 as never } });
    await scene.untilMerged(following);
    await verify(scene);
    await following.stop();
  });

  it('that existed without a unique index on _id: refused with the statement to run, which is sufficient', async (t) => {
    const scene = await setFollowScene(t, 50);
    await scene.query(
      'CREATE TABLE things (_id integer, text text, even boolean); CREATE INDEX ON things (_id)',
    );
    const env = { ...inline, IF_EXISTS: 'append' };
    const { code, stderr } = await scene.follow(env).result;
    assert.equal(code, ExitCode.target, stderr);
    const [, statement = ''] = /make one: (CREATE UNIQUE INDEX [^\n]*)/.exec(stderr) ?? [];
    assert.deepEqual(await scene.query('SELECT FROM things'), [], 'nothing is copied');
    await scene.query(statement);
    const following = scene.follow(env);
    await following.until('following');
    await scene.collection.updateMany({}, { $set: { text: 'changed' } });
    await scene.untilMerged(following);
    await scene.assertEqual();
    await following.stop();
  });
});
