/** An inferred relational plan, whose tables of tables of tables are kept in step with documents that grow and shrink inside. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Document, Filter } from 'mongodb';
import { ExitCode } from '../../../src/common/errors.ts';
import { assertCode } from '../../support/fault.ts';
import { inline, setFollowScene, type FollowScene } from '../../support/follow-scene.ts';

interface Tax {
  rate: number;
  parts: { name: string }[];
}

interface Line {
  sku: string;
  taxes: Tax[];
}

interface Order extends Document {
  _id: number;
  customer: { name: string };
  lines?: Line[] | string;
  tags?: string[];
}

/** Each level is longer than its depth. */
function makeOrder(_id: number, lines = 3): Order {
  return {
    _id,
    customer: { name: `name ${_id}` },
    lines: Array.from({ length: lines }, (_, line) => ({
      sku: `${_id}/${line}`,
      taxes: Array.from({ length: line + 1 }, (__, rate) => ({
        rate,
        parts: Array.from({ length: rate + 1 }, (___, part) => ({ name: `part ${part}` })),
      })),
    })),
    tags: Array.from({ length: _id % 3 }, (_, tag) => `tag ${tag}`),
  };
}

type Rows = Record<string, unknown[][]>;

/** The rows of all tables, made from the documents without code of the tool. */
function expectRows(orders: readonly Order[]): Rows {
  const rows: Record<'things' | 'lines' | 'taxes' | 'parts' | 'tags', unknown[][]> = {
    ...{ things: [], lines: [], taxes: [], parts: [], tags: [] },
  };
  for (const { _id, customer, lines, tags } of orders) {
    rows.things.push([_id, customer.name]);
    for (const [place, tag] of (tags ?? []).entries()) rows.tags.push([_id, place, tag]);
    if (!Array.isArray(lines)) continue;
    for (const [line, { sku, taxes }] of lines.entries()) {
      rows.lines.push([_id, line, sku]);
      for (const [tax, { rate, parts }] of taxes.entries()) {
        rows.taxes.push([_id, line, tax, rate]);
        for (const [part, { name }] of parts.entries()) rows.parts.push([_id, line, tax, part, name]);
      }
    }
  }
  return rows;
}

const queries = {
  things: 'SELECT _id, customer_name FROM things ORDER BY 1',
  lines: 'SELECT _id, lines_ordinal, sku FROM things_lines ORDER BY 1, 2',
  taxes: 'SELECT _id, lines_ordinal, taxes_ordinal, rate FROM things_lines_taxes ORDER BY 1, 2, 3',
  parts: `SELECT _id, lines_ordinal, taxes_ordinal, parts_ordinal, name FROM things_lines_taxes_parts
           ORDER BY 1, 2, 3, 4`,
  tags: 'SELECT _id, tags_ordinal, value FROM things_tags ORDER BY 1, 2',
};

/** @param letters the `_id`s of documents that are to have no row in any table */
async function assertTables(scene: FollowScene, letters: readonly number[] = []): Promise<void> {
  const orders = scene.db.collection<Order>('things').find({ _id: { $nin: letters } });
  const found: Rows = {};
  for (const [name, text] of Object.entries(queries)) {
    found[name] = (await scene.client.query<unknown[]>({ text, rowMode: 'array' })).rows;
  }
  assert.deepEqual(found, expectRows(await orders.sort({ _id: 1 }).toArray()));
  const kept = await scene.query<{ id: string }>('SELECT document_id AS id FROM mongo2pg.dead_letters');
  assert.deepEqual(
    kept.map(({ id }) => id).sort(),
    letters.map((id) => `{"$numberInt":"${id}"}`).sort(),
    'dead letters',
  );
}

const range = (first: number): Filter<Order> => ({ _id: { $gte: first, $lt: first + 10 } });

describe('tables of --schema relational', () => {
  // Red where child rows of any level are not deleted before they are inserted again, and where dead letters stay when their document is
  // merged.
  it('are kept in step at every level, until the cutover', async (t) => {
    const scene = await setFollowScene(t, 1);
    const orders = scene.db.collection<Order>('things');
    await orders.deleteMany({});
    await orders.insertMany(Array.from({ length: 120 }, (_, _id) => makeOrder(_id)));
    const following = scene.follow({ ...inline, PLAN_SCHEMA: 'relational', VERIFY_SHARE: '0%' });
    await following.until('following');
    await assertTables(scene);

    // Longer, at each level.
    await orders.updateMany(range(0), { $push: { lines: makeOrder(0).lines?.[2], tags: 'more' } } as never);
    await orders.updateMany(range(10), { $push: { 'lines.1.taxes': { rate: 9, parts: [] } } } as never);
    await orders.updateMany(range(20), { $push: { 'lines.2.taxes.0.parts': { name: 'more' } } } as never);
    // Shorter, at each level, from either end and in the middle.
    await orders.updateMany(range(30), { $pop: { lines: -1 }, $pull: { tags: 'tag 0' } } as never);
    await orders.updateMany(range(40), { $pull: { 'lines.2.taxes': { rate: 1 } } } as never);
    await orders.updateMany(range(50), { $pop: { 'lines.2.taxes.2.parts': 1 } } as never);
    await orders.updateMany(range(60), { $set: { lines: [] }, $unset: { tags: 1 } });
    // Replaced, new, removed.
    for (let _id = 70; _id < 80; _id++) await orders.replaceOne({ _id }, makeOrder(_id, _id % 5));
    await orders.insertMany(Array.from({ length: 10 }, (_, n) => makeOrder(1_000 + n, n)));
    await orders.deleteMany(range(90));
    await scene.untilMerged(following);
    await assertTables(scene);

    // From here on inner rows are not deleted by cascade.
    const keys = await scene.query<{ statement: string }>(
      `SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) AS statement
         FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace`,
    );
    assert.equal(keys.length, 4, 'one for each child table');
    for (const { statement } of keys) await scene.query(statement);
    // They no longer fit: as a whole, where PostgreSQL rejects the text, or one field, which goes to the extra column.
    const killing = [100, 101, 102];
    for (const _id of killing) {
      await orders.updateOne({ _id }, { $push: { 'lines.1.taxes.1.parts': { name: 'a\0b' } } } as never);
    }
    await orders.updateMany(range(110), { $set: { lines: 'none' } });
    await scene.untilMerged(following);
    await assertTables(scene, killing);
    assertCode(await scene.run(inline, 'cutover'), ExitCode.deadLetters);
    await scene.untilMerged(following);
    await assertTables(scene, killing);

    // They fit again: fixed, replaced, and removed.
    await orders.updateOne({ _id: 100 }, { $pull: { 'lines.1.taxes.1.parts': { name: 'a\0b' } } } as never);
    await orders.replaceOne({ _id: 101 }, makeOrder(101, 1));
    await orders.deleteOne({ _id: 102 });
    await orders.updateMany(range(110), { $set: { lines: makeOrder(7).lines as Line[] } });
    await scene.untilMerged(following);
    await assertTables(scene);

    assertCode(await scene.run(inline, 'cutover'), ExitCode.ok);
    await following.result;
    await assertTables(scene);
    assertCode(await scene.run(inline, 'verify'), ExitCode.ok);
  });
});
