import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import type { Document } from 'mongodb';
import { ExitCode } from '../../../src/common/errors.ts';
import { plainPool, runCli } from '../../support/cli.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';

const column = (name: string, type: string, path: string | string[] = name) => ({ column: name, path, type });
const taxes = {
  path: 'taxes',
  table: 'order_taxes',
  columns: [column('rate', 'int32')],
};
const lines = {
  path: 'lines',
  table: 'order_lines',
  parentColumn: 'order_id',
  keepEmpty: true,
  // Elements of arrays often have an _id.
  columns: [column('sku', 'string'), column('line_id', 'string', '_id'), column('lat', 'int32', 'from.lat')],
  flatten: ['from'],
  children: [taxes, { path: 'notes', table: 'order_notes', columns: [column('note', 'string', [])] }],
};
const plan = {
  columns: [
    column('id', 'int32', '_id'),
    column('city', 'string', 'address.city'),
    { ...column('tags', 'string'), array: true },
  ],
  flatten: ['address'],
  children: [lines],
};
const orders: Document[] = [
  {
    _id: 1,
    address: { city: 'Rome', zip: '00100' },
    tags: ['a', null],
    lines: [
      { sku: 'a', _id: 'x', taxes: [{ rate: 7 }, { rate: 19, of: 'all' }], notes: ['one', 'two'] },
      { sku: 'b', from: { lat: 1, lon: 2 }, taxes: [{ rate: 0 }], notes: [3] },
    ],
  },
  { _id: 2, address: {}, tags: ['a', 1], lines: [] },
  { _id: 3, address: 'Paris', tags: [], lines: ['gift', [], { taxes: 'none', from: {} }] },
  { _id: 4 },
];

describe('arrays inside of arrays, and flattened documents', () => {
  let sandbox: Sandbox;
  let folder: string;
  before(async () => {
    sandbox = await createSandbox();
    folder = await mkdtemp(join(tmpdir(), 'mongo2pg-nested-'));
  });
  after(async () => {
    await rm(folder, { recursive: true });
    await sandbox.remove();
  });
  afterEach(async () => {
    await sandbox.client.query(
      'DROP TABLE IF EXISTS order_notes, order_taxes, order_lines, orders; DROP SCHEMA IF EXISTS mongo2pg CASCADE',
    );
    await sandbox.db.collection('orders').drop();
  });

  async function run(file: object, ...args: string[]) {
    return await runFor('orders', file, ...args);
  }

  async function runFor(collection: string, file: object, ...args: string[]) {
    const path = join(folder, 'plan.json');
    await writeFile(path, JSON.stringify(file));
    const planned = ['verify', 'retry'].includes(args[0] ?? '') ? args : [...args, '--plan', path];
    return await runCli(planned, {
      ...sandbox.env,
      MONGO_COLLECTION: collection,
      CLUSTER_IMPLEMENTATION: plainPool,
    });
  }

  async function read(table: string, order: string): Promise<unknown[]> {
    const { rows } = await sandbox.client.query<Record<string, unknown>>(
      `SELECT * FROM ${table} ORDER BY ${order}`,
    );
    return rows.map((row) => Object.values(row));
  }

  it('have rows with the keys of their parents, and values that do not fit in _extra', async () => {
    await sandbox.db.collection('orders').insertMany(orders);
    const { code, stdout, stderr } = await run(plan);
    assert.equal(code, ExitCode.ok, stderr);
    assert.match(stdout, /3 rows in public\.order_taxes, counted by Postgres/);
    assert.deepEqual(await read('orders', 'id'), [
      [1, 'Rome', ['a', null], { address: { zip: '00100' } }],
      [2, null, null, { tags: ['a', 1], lines: [], address: {} }],
      [3, null, [], { address: 'Paris' }],
      [4, null, null, null],
    ]);
    assert.deepEqual(await read('order_lines', '1, 2'), [
      [1, 0, 'a', 'x', null, null],
      [1, 1, 'b', null, 1, { from: { lon: 2 } }],
      [3, 0, null, null, null, 'gift'],
      [3, 1, null, null, null, []],
      [3, 2, null, null, null, { from: {}, taxes: 'none' }],
    ]);
    assert.deepEqual(await read('order_taxes', '1, 2, 3'), [
      [1, 0, 0, 7, null],
      [1, 0, 1, 19, { of: 'all' }],
      [1, 1, 0, 0, null],
    ]);
    assert.deepEqual(await read('order_notes', '1, 2, 3'), [
      [1, 0, 0, 'one', null],
      [1, 0, 1, 'two', null],
      [1, 1, 0, null, 3],
    ]);
    const { rows: keys } = await sandbox.client.query<{ definition: string }>(
      `SELECT pg_get_constraintdef(oid) AS definition FROM pg_constraint
        WHERE conrelid = 'order_taxes'::regclass AND contype IN ('p', 'f') ORDER BY contype`,
    );
    assert.deepEqual(
      keys.map(({ definition }) => definition),
      [
        'FOREIGN KEY (order_id, ordinal) REFERENCES order_lines(order_id, ordinal) ON DELETE CASCADE',
        'PRIMARY KEY (order_id, ordinal, taxes_ordinal)',
      ],
    );
    const verified = await run(plan, 'verify');
    assert.equal(verified.code, ExitCode.ok, verified.stdout);
  });

  for (const [what, sql, reported] of [
    [
      'a row changed',
      'UPDATE order_taxes SET rate = 8 WHERE taxes_ordinal = 1',
      'column "order_taxes[0][1]": "{\\"rate\\": 19',
    ],
    [
      'a row removed',
      'DELETE FROM order_taxes WHERE ordinal = 1',
      'column "order_taxes[1][0]": "{\\"rate\\": 0',
    ],
    [
      'a row under another element',
      'UPDATE order_taxes SET ordinal = 0, taxes_ordinal = 2 WHERE ordinal = 1',
      'column "order_taxes[0][2]": NULL in the doc',
    ],
    [
      'a row of no document',
      "INSERT INTO order_lines VALUES (1, 9); INSERT INTO order_notes VALUES (1, 9, 0, 'x'); DELETE FROM orders WHERE id = 1",
      'extra: no document for the row order_notes[9][0] with the key 1',
    ],
    ['an element of an array changed', "UPDATE orders SET tags = '{a,b}' WHERE id = 1", 'column "tags"'],
    ['what was left of a document', 'UPDATE orders SET _extra = NULL WHERE id = 1', 'column "_extra"'],
  ] as const) {
    it(`verify finds ${what}`, async () => {
      await sandbox.db.collection('orders').insertMany(orders);
      assert.equal((await run(plan)).code, ExitCode.ok);
      await sandbox.client.query(`
        ALTER TABLE order_notes DROP CONSTRAINT order_notes_order_id_ordinal_fkey;
        ALTER TABLE order_taxes DROP CONSTRAINT order_taxes_order_id_ordinal_fkey;
        ALTER TABLE order_lines DROP CONSTRAINT order_lines_order_id_fkey; ${sql}`);
      const { code, stdout } = await run(plan, 'verify');
      assert.equal(code, ExitCode.different);
      assert.ok(stdout.includes(reported), stdout);
    });
  }

  it('a missing value of an inner row makes its document a dead letter, which retry loads once the table accepts it', async () => {
    const strict = {
      ...plan,
      children: [
        { ...lines, children: [{ ...taxes, columns: [{ ...column('rate', 'int32'), notNull: true }] }] },
      ],
    };
    await sandbox.db.collection('orders').insertMany([
      { _id: 1 as never, lines: [{ taxes: [{ rate: 1 }] }] },
      { _id: 2 as never, lines: [{ taxes: [{ rate: 2 }] }, { taxes: [{ rate: 3 }, {}] }] },
    ]);
    const { code, stdout } = await run(strict);
    assert.equal(code, ExitCode.deadLetters, stdout);
    assert.match(stdout, /read 2 = copied 1 \+ dead-lettered 1/);
    assert.deepEqual(await read('order_taxes', '1, 2, 3'), [[1, 0, 0, 1, null]]);
    await sandbox.client.query('ALTER TABLE order_taxes ALTER rate DROP NOT NULL');
    const retried = await run(strict, 'retry');
    assert.equal(retried.code, ExitCode.ok, retried.stdout + retried.stderr);
    assert.equal((await read('order_taxes', '1, 2, 3')).length, 4);
    assert.equal((await run(strict, 'verify')).code, ExitCode.ok);
  });

  it('if Postgres rejects an inner row, its document has no rows in any table', async () => {
    await sandbox.db.collection('orders').insertMany([
      { _id: 1 as never, lines: [{ taxes: [{ rate: 1 }] }] },
      { _id: 2 as never, lines: [{ taxes: [{ rate: 2 }] }, { taxes: [{ rate: 666 }] }] },
      { _id: 3 as never, lines: [{ taxes: [{ rate: 3 }] }] },
    ]);
    assert.equal((await run(plan)).code, ExitCode.ok);
    await sandbox.client.query('TRUNCATE orders CASCADE; ALTER TABLE order_taxes ADD CHECK (rate < 100)');
    const { code, stdout } = await run(plan, '--if-exists', 'truncate');
    assert.equal(code, ExitCode.deadLetters, stdout);
    assert.deepEqual(await read('order_taxes', '1'), [
      [1, 0, 0, 1, null],
      [3, 0, 0, 3, null],
    ]);
    assert.deepEqual(
      (await read('order_lines', '1')).map((row) => (row as unknown[])[0]),
      [1, 3],
    );
    assert.equal((await run(plan, 'verify')).code, ExitCode.ok);
  });

  it('--if-exists works on all of the tables: append, truncate, drop', async () => {
    await sandbox.db.collection('orders').insertMany(orders);
    assert.equal((await run(plan)).code, ExitCode.ok);
    const more = sandbox.db.collection('more');
    await more.insertOne({ _id: 9 as never, lines: [{ taxes: [{ rate: 9 }] }] });
    const again = { ...plan, table: 'orders' };
    const appended = await runFor('more', again, '--if-exists', 'append');
    assert.equal(appended.code, ExitCode.ok, appended.stderr);
    assert.equal((await read('order_taxes', '1')).length, 4);
    const emptied = await runFor('more', again, '--if-exists', 'truncate');
    await more.drop();
    assert.equal(emptied.code, ExitCode.ok, emptied.stderr);
    assert.deepEqual(await read('order_taxes', '1'), [[9, 0, 0, 9, null]]);
    // Tables of arrays that the plan no longer has are dropped as well, at any depth.
    const without = await run({ columns: plan.columns.slice(0, 1) }, '--if-exists', 'drop');
    assert.equal(without.code, ExitCode.ok, without.stderr);
    await assert.rejects(read('order_taxes', '1'), /does not exist/);
    await assert.rejects(read('order_lines', '1'), /does not exist/);
  });
});
