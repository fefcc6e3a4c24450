import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import type { Document } from 'mongodb';
import { ExitCode } from '../../../src/common/errors.ts';
import { runCli } from '../../support/cli.ts';
import { setFailpoints } from '../../support/failpoints.ts';
import { noise } from '../../support/noise.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';

const plan = {
  columns: [
    { column: 'id', path: '_id', type: 'int32' },
    { column: 'customer', path: 'customer', type: 'string' },
  ],
  children: [
    {
      path: 'lines',
      table: 'order_lines',
      parentColumn: 'order_id',
      columns: [
        { column: 'sku', path: 'sku', type: 'string' },
        { column: 'amount', path: 'amount', type: 'int32' },
        { column: 'city', path: 'ship.city', type: 'string' },
      ],
    },
  ],
};

describe('child tables: the elements of an array in a table of their own', () => {
  let sandbox: Sandbox;
  let folder: string;
  before(async () => {
    sandbox = await createSandbox();
    folder = await mkdtemp(join(tmpdir(), 'mongo2pg-children-'));
  });
  after(async () => {
    await rm(folder, { recursive: true });
    await sandbox.remove();
  });
  afterEach(async () => {
    await sandbox.client.query(
      'DROP TABLE IF EXISTS order_lines, orders; DROP SCHEMA IF EXISTS mongo2pg CASCADE',
    );
    await sandbox.db.collection('orders').drop();
  });

  async function run(file: object, env: Record<string, string>, ...args: string[]) {
    const path = join(folder, 'plan.json');
    await writeFile(path, JSON.stringify(file));
    return await runCli([...args, ...(['verify', 'retry'].includes(args[0] ?? '') ? [] : ['--plan', path])], {
      ...sandbox.env,
      MONGO_COLLECTION: 'orders',
      CLUSTER_SIZE: '2',
      ...env,
    });
  }

  async function migrate(orders: Document[], ...args: string[]) {
    await sandbox.db.collection('orders').insertMany(orders);
    return await run(plan, {}, ...args);
  }

  async function readLines(): Promise<unknown[]> {
    const { rows } = await sandbox.client.query<Record<string, unknown>>(
      'SELECT * FROM order_lines ORDER BY order_id, ordinal',
    );
    return rows.map((row) => Object.values(row));
  }

  it('a row for each element, in the order of the array, with its key', async () => {
    const { code, stdout, stderr } = await migrate([
      {
        _id: 1,
        customer: 'Ada',
        lines: [
          { sku: 'a', amount: 1, ship: { city: 'Rome' } },
          { sku: 'b', amount: 'two' },
        ],
      },
      { _id: 2, customer: 'Bob', lines: [] },
      { _id: 3, customer: 'Cem', lines: ['gift', null, { sku: 'c', note: 'late' }] },
      { _id: 4, customer: 'Dee', lines: { sku: 'no array' } },
      { _id: 5, customer: 'Eva', lines: null },
      { _id: 6 },
    ]);
    assert.equal(code, ExitCode.ok, stderr);
    assert.match(stdout, /5 rows in public\.order_lines, counted by Postgres/);
    assert.deepEqual(await readLines(), [
      [1, 0, 'a', 1, 'Rome', { ship: { city: 'Rome' } }],
      [1, 1, 'b', null, null, { amount: 'two' }],
      [3, 0, null, null, null, 'gift'],
      [3, 1, null, null, null, null],
      [3, 2, 'c', null, null, { note: 'late' }],
    ]);
    const { rows } = await sandbox.client.query('SELECT id, _extra FROM orders WHERE _extra IS NOT NULL');
    assert.deepEqual(rows, [{ id: 4, _extra: { lines: { sku: 'no array' } } }]);
    assert.match(stdout, /_extra: 1 value of "lines\[\]\.amount" \(string, does not fit\)/);
    const { rows: keys } = await sandbox.client.query<{ definition: string }>(
      `SELECT pg_get_constraintdef(oid) AS definition FROM pg_constraint
        WHERE conrelid = 'order_lines'::regclass AND contype IN ('p', 'f') ORDER BY contype`,
    );
    assert.deepEqual(
      keys.map(({ definition }) => definition),
      ['FOREIGN KEY (order_id) REFERENCES orders(id) ON DELETE CASCADE', 'PRIMARY KEY (order_id, ordinal)'],
    );
    assert.equal((await run(plan, {}, 'verify')).code, ExitCode.ok);
  });

  it('a document that cannot be stored has no child rows either', async () => {
    const line = (text: string) => ({ sku: text, amount: 1 });
    const { code, stdout } = await migrate([
      { _id: 1, lines: [line('a')] },
      { _id: 2, lines: [line('b'), line('N\0UL')] },
      { _id: 3, customer: 'N\0UL', lines: [line('c')] },
      { _id: 4, lines: [line('d')] },
    ]);
    assert.equal(code, ExitCode.deadLetters);
    assert.match(stdout, /read 4 = copied 2 \+ dead-lettered 2/);
    assert.deepEqual(
      (await readLines()).map((row) => (row as unknown[]).slice(0, 3)),
      [
        [1, 0, 'a'],
        [4, 0, 'd'],
      ],
    );
    assert.equal((await run(plan, {}, 'verify')).code, ExitCode.ok);
  });

  it('a killed run is resumed, and each row is loaded once', async (t) => {
    const orders = Array.from({ length: 2_000 }, (_, _id) => ({
      _id,
      customer: `c${_id}`,
      lines: Array.from({ length: _id % 4 }, (__, index) => ({ sku: `s${index}`, amount: index })),
    }));
    await sandbox.db.collection<{ _id: number }>('orders').insertMany(orders);
    const small = { ITEMS_PER_PAGE: '50' };
    const failpoints = await setFailpoints(t, { 'worker-in-copy': 'kill@9', 'primary-after-ack': 'kill@20' });
    assert.equal((await run(plan, { ...small, ...failpoints.env })).signal, 'SIGKILL');
    assert.equal((await run(plan, small)).code, ExitCode.ok);
    assert.equal((await readLines()).length, 3_000);
    assert.equal((await run(plan, {}, 'verify')).code, ExitCode.ok);
  });

  it('if Postgres rejects a child row, its document becomes a dead letter', async () => {
    await sandbox.client.query(`
      CREATE FUNCTION refuse_sku() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF NEW.sku = 'bad' THEN RAISE EXCEPTION 'a bad sku'; END IF;
        RETURN NEW;
      END $$;
      CREATE FUNCTION watch_lines() RETURNS event_trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands() WHERE object_identity = 'public.order_lines') THEN
          CREATE TRIGGER refuses BEFORE INSERT ON order_lines FOR EACH ROW EXECUTE FUNCTION refuse_sku();
        END IF;
      END $$;
      CREATE EVENT TRIGGER watches ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION watch_lines()`);
    try {
      const { code, stdout } = await migrate([
        { _id: 1, lines: [{ sku: 'a' }] },
        { _id: 2, lines: [{ sku: 'b' }, { sku: 'bad' }] },
        { _id: 3, lines: [{ sku: 'c' }] },
      ]);
      assert.equal(code, ExitCode.deadLetters, stdout);
      assert.match(stdout, /1 because of refused \(P0001: a bad sku\)/);
      assert.equal((await readLines()).length, 2);
      const { rows } = await sandbox.client.query('SELECT id FROM orders ORDER BY id');
      assert.deepEqual(rows, [{ id: 1 }, { id: 3 }]);
      assert.equal((await run(plan, {}, 'verify')).code, ExitCode.ok);
    } finally {
      await sandbox.client.query('DROP EVENT TRIGGER watches; DROP FUNCTION watch_lines');
    }
  });

  for (const [what, sql, reported] of [
    [
      'a row changed',
      "UPDATE order_lines SET sku = 'x' WHERE order_id = 1 AND ordinal = 1",
      `column "order_lines[1]": "{\\"sku\\": \\"b\\"`,
    ],
    [
      'a row removed',
      'DELETE FROM order_lines WHERE order_id = 1 AND ordinal = 0',
      'column "order_lines[0]"',
    ],
    ['a row added', "INSERT INTO order_lines VALUES (2, 7, 'x')", 'column "order_lines[7]": NULL in the doc'],
    [
      'two rows with swapped places',
      'UPDATE order_lines SET ordinal = 1 - ordinal WHERE order_id = 1',
      'column "order_lines[0]"',
    ],
    [
      'a duplicate row',
      'INSERT INTO order_lines SELECT * FROM order_lines WHERE ordinal = 1',
      'column "order_lines[1]": NULL in the doc',
    ],
    [
      'a row of no document',
      "INSERT INTO order_lines VALUES (99, 0, 'x')",
      'extra: no document for the row order_lines[0] with the key 99',
    ],
    [
      'a row without the key of a document',
      "INSERT INTO order_lines VALUES (NULL, 3, 'x')",
      'extra: no document for the row order_lines[3] with the key NULL',
    ],
    [
      'child rows without the row of their document',
      'DELETE FROM orders WHERE id = 1',
      'extra: no document for the row order_lines[1] with the key 1',
    ],
  ] as const) {
    it(`verify finds ${what}`, async () => {
      await migrate([
        { _id: 1, lines: [{ sku: 'a' }, { sku: 'b' }] },
        { _id: 2, lines: [] },
      ]);
      await sandbox.client.query(`
        ALTER TABLE order_lines DROP CONSTRAINT order_lines_order_id_fkey, DROP CONSTRAINT order_lines_pkey,
          ALTER order_id DROP NOT NULL; ${sql}`);
      const { code, stdout } = await run(plan, {}, 'verify');
      assert.equal(code, ExitCode.different);
      assert.ok(stdout.includes(reported), stdout);
      const sampled = await run(plan, {}, 'verify', '--sample', '1%');
      assert.equal(sampled.code, ExitCode.different, sampled.stdout);
    });
  }

  it('verify takes not much longer than the copy, and works with any column names', async () => {
    const documents = Array.from({ length: 12_000 }, (_, _id) => ({
      _id,
      key: _id,
      row_no: 5,
      lines: Array.from({ length: 4 }, (__, place) => ({ key: place, row_no: _id, c0: 'c' })),
    }));
    await sandbox.db.collection<{ _id: number }>('orders').insertMany(documents);
    const column = (name: string, type: string) => ({ column: name, path: name, type });
    const named = {
      columns: [
        { column: 'id', path: '_id', type: 'int32' },
        column('key', 'int32'),
        column('row_no', 'int32'),
      ],
      children: [
        {
          ...plan.children[0],
          columns: [column('key', 'int32'), column('row_no', 'int32'), column('c0', 'string')],
        },
      ],
    };
    const msOf = (stdout: string) =>
      Number(/"totalMs":([0-9.]+)/.exec(stdout.trim().split('\n').at(-1) ?? '')?.[1]);
    const copied = await run(named, {}, '--json');
    assert.equal(copied.code, ExitCode.ok, copied.stderr);
    const verified = await run(named, {}, 'verify', '--json');
    assert.equal(verified.code, ExitCode.ok, verified.stdout);
    // A cross join took forty times as long.
    assert.ok(msOf(verified.stdout) < 10 * msOf(copied.stdout), verified.stdout);
    await sandbox.client.query(
      'UPDATE orders SET row_no = 6 WHERE id = 7; UPDATE order_lines SET row_no = 1 WHERE order_id = 9 AND ordinal = 3',
    );
    const { stdout } = await run(named, {}, 'verify');
    assert.match(stdout, /equal 11,998 /);
    assert.match(stdout, /_id .*"7"}, column "row_no": "5" in the document, "6" in PostgreSQL/);
    assert.match(stdout, /_id .*"9"}, column "order_lines\[3\]"/);
  });

  it('a document that does not fit them is a dead letter, and the others of its batch are not', async () => {
    const names = Array.from({ length: 600 }, (_, index) => `f${index}`);
    const line = (text: string) => Object.fromEntries(names.map((name) => [name, text]));
    const ids = [noise(1, 2_684), noise(2, 2_692), 'short', 'too wide'];
    await sandbox.db.collection<Document & { _id: string }>('orders').insertMany([
      // With its place in the array, an entry of the child table's key is eight bytes longer than that of the table's own.
      ...ids.slice(0, 3).map((_id) => ({ _id, lines: [line('x')] })),
      { _id: 'too wide', lines: [line('x'), line('not short enough for a page')] },
    ]);
    const lines = {
      path: 'lines',
      table: 'order_lines',
      parentColumn: 'order_id',
      // What must not be NULL cannot go to the extra column instead.
      columns: names.map((name) => ({ column: name, path: name, type: 'string', notNull: true })),
    };
    const columns = [{ column: 'id', path: '_id', type: 'string' }];
    const { code, stdout, stderr } = await run({ columns, children: [lines] }, {});
    assert.equal(code, ExitCode.deadLetters, stderr);
    assert.match(stdout, /read 4 = copied 2 \+ dead-lettered 2/);
    const { rows } = await sandbox.client.query<{ id: string; detail: string }>(
      'SELECT document_id AS id, detail FROM mongo2pg.dead_letters ORDER BY length(document_id) DESC',
    );
    assert.deepEqual(
      rows.map(({ id }) => id),
      [ids[1], ids[3]].map((id) => JSON.stringify(id)),
    );
    assert.match(rows[0]?.detail ?? '', /^index row size 2712 exceeds/);
    assert.match(rows[1]?.detail ?? '', /^row is too big/);
    assert.equal((await readLines()).length, 2);
  });

  it('--if-exists drop recreates all of them, also if the plan no longer has any', async () => {
    await migrate([{ _id: 1, lines: [{ sku: 'a' }] }]);
    assert.equal((await run(plan, {}, '--if-exists', 'drop')).code, ExitCode.ok);
    assert.equal((await readLines()).length, 1);
    const without = { columns: plan.columns };
    assert.equal((await run(without, {}, '--if-exists', 'drop')).code, ExitCode.ok);
    await assert.rejects(readLines(), /does not exist/);
  });

  it('of an array inside of a document, which is also stored in its field', async () => {
    const nested = { ...plan, children: [{ ...plan.children[0], path: 'shipping.parcels' }] };
    await sandbox.db.collection<{ _id: number }>('orders').insertMany([
      {
        _id: 1,
        shipping: {
          by: 'air',
          parcels: [
            { sku: 'a', amount: 1 },
            { sku: 'b', amount: 2.5 },
          ],
        },
      },
      { _id: 2, shipping: { parcels: 'none' } },
      { _id: 3, shipping: [{ parcels: [{ sku: 'in an array' }] }] },
      { _id: 4, shipping: null },
      { _id: 5 },
      { _id: 6, shipping: { parcels: [] } },
    ] as { _id: number }[]);
    const { code, stdout, stderr } = await run(nested, {});
    assert.equal(code, ExitCode.ok, stderr);
    assert.deepEqual(await readLines(), [
      [1, 0, 'a', 1, null, null],
      [1, 1, 'b', null, null, { amount: 2.5 }],
    ]);
    assert.match(stdout, /_extra: 1 value of "shipping\.parcels\[\]\.amount" \(double, does not fit\)/);
    const { rows } = await sandbox.client.query('SELECT _extra FROM orders WHERE id <= 2 ORDER BY id');
    assert.deepEqual(rows, [
      {
        _extra: {
          shipping: {
            by: 'air',
            parcels: [
              { sku: 'a', amount: 1 },
              { sku: 'b', amount: 2.5 },
            ],
          },
        },
      },
      { _extra: { shipping: { parcels: 'none' }, 'shipping.parcels': 'none' } },
    ]);
    assert.equal((await run(nested, {}, 'verify')).code, ExitCode.ok);
    await sandbox.client.query('DELETE FROM order_lines WHERE ordinal = 1');
    assert.equal((await run(nested, {}, 'verify')).code, ExitCode.different);
  });

  describe('that already exist', () => {
    const tables = `
      CREATE TABLE orders (id int PRIMARY KEY, customer varchar(20));
      CREATE TABLE order_lines (
        ordinal int, sku varchar(3) NOT NULL, amount numeric(6, 2), home inet, seen json, grid int[][],
        state text DEFAULT 'new', order_id int REFERENCES orders, PRIMARY KEY (order_id, ordinal));
      INSERT INTO orders VALUES (100, 'before');
      INSERT INTO order_lines (order_id, ordinal, sku) VALUES (100, 0, 'old')`;
    const column = (name: string, type: string) => ({ column: name, path: name, type });
    const fitting = {
      ...plan,
      children: [
        {
          ...plan.children[0],
          columns: [
            column('sku', 'string'),
            column('amount', 'decimal'),
            column('home', 'string'),
            column('seen', 'json'),
            column('grid', 'json'),
          ],
        },
      ],
    };
    const shown = 'order_id, ordinal, sku, amount::text, host(home) AS home, seen, grid, state';
    const orders: readonly Document[] = [
      {
        _id: 1,
        customer: 'Ada',
        lines: [{ sku: 'a', amount: 1.5, home: '::1', seen: { b: 1, a: 2 } }, { sku: 'b' }],
      },
      { _id: 2, customer: 'Bob', lines: [{ sku: 'c' }, { sku: 'd', home: 'nowhere' }] },
      { _id: 3, customer: 'Cem', lines: [{ sku: 'e', amount: 1.005 }] },
      { _id: 4, customer: 'Dee', lines: [{ sku: 'f', color: 'red' }] },
      { _id: 5, customer: 'Eva', lines: [{ sku: 'g' }, 'gift'] },
      { _id: 6, customer: 'Fay', lines: 'none' },
      {
        _id: 7,
        customer: 'Gus',
        lines: [
          {
            sku: 'h',
            grid: [
              [1, 2],
              [3, 4],
            ],
          },
          null,
        ],
      },
      { _id: 8, customer: 'Hal', lines: [{ sku: 'i', grid: [[1, 2], [3]] }] },
      { _id: 9, customer: 'Ida', lines: [{ sku: 'long' }] },
      {
        _id: 10,
        customer: 'Jon',
        lines: [
          {
            sku: 'j',
            grid: [
              [1, 2],
              [3, 4],
            ],
          },
        ],
      },
    ];

    async function readShown(): Promise<unknown[]> {
      const { rows } = await sandbox.client.query<Record<string, unknown>>(
        `SELECT ${shown} FROM order_lines ORDER BY order_id, ordinal`,
      );
      return rows.map((row) => Object.values(row));
    }

    it('are loaded by their own types, in addition to existing rows', async () => {
      await sandbox.client.query(tables);
      await sandbox.db.collection('orders').insertMany([...orders]);
      const { code, stdout, stderr } = await run(fitting, {}, '--if-exists', 'append');
      assert.equal(code, ExitCode.deadLetters, stderr);
      assert.match(
        stderr,
        /the child table "order_lines": filled by default, as no field is for them: "state"/,
      );
      assert.match(stdout, /4 rows in public\.order_lines, counted by Postgres/);
      const before = [100, 0, 'old', null, null, null, null, 'new'];
      const loaded = [
        [1, 0, 'a', '1.50', '::1', { b: 1, a: 2 }, null, 'new'],
        [1, 1, 'b', null, null, null, null, 'new'],
        [
          10,
          0,
          'j',
          null,
          null,
          null,
          [
            [1, 2],
            [3, 4],
          ],
          'new',
        ],
      ];
      assert.deepEqual(await readShown(), [...loaded, before]);
      const { rows: letters } = await sandbox.client.query<{
        id: string;
        reason: string;
        code: string | null;
      }>(
        `SELECT document_id::jsonb->>'$numberInt' AS id, reason, code FROM mongo2pg.dead_letters ORDER BY ordinal`,
      );
      assert.deepEqual(
        letters.map(({ id, reason, code: state }) => [Number(id), reason, state]),
        [
          [2, 'refused', '22P02'],
          [3, 'does_not_fit', null],
          [4, 'no_column', null],
          [5, 'no_column', null],
          [6, 'does_not_fit', null],
          [7, 'refused', '23502'],
          [8, 'does_not_fit', null],
          [9, 'refused', '22001'],
        ],
      );
      assert.match((await run(fitting, {}, 'verify')).stdout, /compared 10 = equal 2 \+ dead-lettered 8/);
      await sandbox.client.query(`UPDATE order_lines SET seen = '{"a":2,"b":1}' WHERE sku = 'a'`);
      assert.equal((await run(fitting, {}, 'verify')).code, ExitCode.different);

      // Once it is fixed, it accepts one more.
      await sandbox.client.query('ALTER TABLE order_lines ALTER sku TYPE varchar(10)');
      const retried = await run(fitting, {}, 'retry');
      assert.match(retried.stdout + retried.stderr, /1 dead letter loaded, 7 left/);
      assert.equal((await readShown()).length, 5);
      const again = await run(fitting, {}, '--if-exists', 'truncate');
      assert.equal(again.code, ExitCode.deadLetters, again.stderr);
      assert.deepEqual((await readShown()).length, 4);
    });

    it('are refused if one is missing, or has another key type than the documents', async () => {
      await sandbox.client.query(tables);
      await sandbox.client.query(`
        DROP TABLE order_lines; CREATE TABLE order_lines (order_id text, ordinal bigint, tenant int NOT NULL)`);
      await sandbox.db.collection('orders').insertMany([...orders]);
      const unfit = await run(fitting, {}, '--if-exists', 'append');
      assert.equal(unfit.code, ExitCode.target);
      for (const reason of [
        '"sku" (text) is missing',
        '"tenant" is NOT NULL without a default, and the plan has no entry for it',
        '"order_id" is text, which has no values of the type int32',
        '"order_id" is text, and "id" of the documents integer',
        '"ordinal" is bigint, and not integer',
      ]) {
        assert.ok(unfit.stderr.includes(`the child table "order_lines": ${reason}`), unfit.stderr);
      }
      await sandbox.client.query('DROP TABLE order_lines');
      const missing = await run(fitting, {}, '--if-exists', 'append');
      assert.match(missing.stderr, /"order_lines": is missing, while the table of the documents exists/);
    });

    it('of an earlier run are appended to, and truncated', async () => {
      await migrate([{ _id: 1, lines: [{ sku: 'a' }] }]);
      await sandbox.db
        .collection<{ _id: number; lines: object[] }>('more')
        .insertMany([{ _id: 2, lines: [{ sku: 'b' }] }]);
      const more = { MONGO_COLLECTION: 'more' };
      const file = { ...plan, table: 'orders' };
      const added = await run(file, more, '--if-exists', 'append');
      assert.equal(added.code, ExitCode.ok, added.stderr);
      assert.deepEqual(await readLines(), [
        [1, 0, 'a', null, null, null],
        [2, 0, 'b', null, null, null],
      ]);
      const emptied = await run(file, more, '--if-exists', 'truncate');
      assert.equal(emptied.code, ExitCode.ok, emptied.stderr);
      assert.deepEqual(await readLines(), [[2, 0, 'b', null, null, null]]);
      const dropped = await run(file, more, '--restart', '--if-exists', 'drop');
      assert.equal(dropped.code, ExitCode.ok, dropped.stderr);
      await sandbox.db.collection('more').drop();
    });
  });

  it('retry loads documents after NOT NULL of the plan was dropped from the tables of the run', async () => {
    const demand = (column: (typeof plan.columns)[number]) =>
      ['customer', 'sku'].includes(column.column) ? { ...column, notNull: true } : column;
    const children = plan.children.map((child) => ({ ...child, columns: child.columns.map(demand) }));
    await sandbox.db.collection<Document & { _id: number }>('orders').insertMany([
      { _id: 1, customer: 'a', lines: [{ sku: 'x' }] },
      { _id: 2, lines: [] },
      { _id: 3, customer: 'c', lines: [{ amount: 1 }] },
    ]);
    const file = { ...plan, columns: plan.columns.map(demand), children };
    assert.equal((await run(file, {})).code, ExitCode.deadLetters);
    assert.match((await run(file, {}, 'retry')).stderr, /0 dead letters loaded, 2 left/);
    await sandbox.client.query('ALTER TABLE orders ALTER customer DROP NOT NULL');
    assert.match((await run(file, {}, 'retry')).stderr, /1 dead letter loaded, 1 left/);
    await sandbox.client.query('ALTER TABLE order_lines ALTER sku DROP NOT NULL');
    const last = await run(file, {}, 'retry');
    assert.equal(last.code, ExitCode.ok, last.stderr);
    assert.equal((await run(file, {}, 'verify')).code, ExitCode.ok);
  });

  it('an invalid plan is refused with the place of the mistake', async () => {
    const [child] = plan.children;
    const wrong = {
      ...plan,
      children: [
        { ...child, path: 'customer' },
        { ...child, path: 'a.b' },
        { ...child, path: 'a.b.c' },
        { ...child, path: 'x', ordinalColumn: 'sku' },
      ],
    };
    const { code, stderr } = await migrate([{ _id: 1 }]).then(() => run(wrong, {}, '--restart'));
    assert.equal(code, ExitCode.usage);
    assert.match(stderr, /children\[0\]\.path: "?customer"? is in columns\[1\] already/);
    assert.match(stderr, /children\[2\]\.path: "?a\.b\.c"? is inside of the elements of children\[1\]/);
  });
});
