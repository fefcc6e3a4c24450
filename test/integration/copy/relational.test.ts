import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import type { Document } from 'mongodb';
import { ExitCode } from '../../../src/common/errors.ts';
import type { PlanFile } from '../../../src/plan/file/plan-schema.ts';
import { plainPool, runCli } from '../../support/cli.ts';
import { setFailpoints } from '../../support/failpoints.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';

/** Mostly of one shape, and every eighth of another. */
function makeSales(count: number): Document[] {
  const odd: Document[] = [
    { customer: 'a name', lines: [] },
    { customer: {}, lines: 'none', tags: 'one' },
    { customer: { address: null, since: 5 }, lines: [[], null, 'gift', {}, { taxes: [{}, 3] }] },
    { lines: [{ sku: 7, taxes: { rate: 1 }, from: 'here' }], tags: ['x', 1, null, { y: 2 }] },
    {},
  ];
  return Array.from({ length: count }, (_, _id) => ({
    _id,
    ...(_id % 8 === 7
      ? odd[(_id >> 3) % odd.length]
      : {
          customer: {
            name: `name ${_id % 10}`,
            address: { city: `city ${_id % 5}`, zip: _id },
            more: _id % 3,
          },
          lines: Array.from({ length: _id % 4 }, (__, line) => ({
            _id: `${_id}/${line}`,
            sku: `sku ${line}`,
            from: { city: 'Rome' },
            taxes: Array.from({ length: line }, (___, rate) => ({ rate, of: 'net' })),
          })),
          tags: Array.from({ length: _id % 3 }, (__, tag) => `tag ${tag}`),
        }),
  }));
}

describe('--schema relational', () => {
  let sandbox: Sandbox;
  let folder: string;
  before(async () => {
    sandbox = await createSandbox();
    folder = await mkdtemp(join(tmpdir(), 'mongo2pg-relational-'));
  });
  after(async () => {
    await rm(folder, { recursive: true });
    await sandbox.remove();
  });
  afterEach(async () => {
    await sandbox.client.query(
      'DROP SCHEMA public CASCADE; CREATE SCHEMA public; DROP SCHEMA IF EXISTS mongo2pg CASCADE',
    );
    for (const { name } of await sandbox.db.listCollections().toArray()) {
      await sandbox.db.dropCollection(name);
    }
  });

  async function run(...args: string[]) {
    return await runCli(args, {
      ...sandbox.env,
      MONGO_COLLECTION: 'sales',
      CLUSTER_IMPLEMENTATION: plainPool,
      PLAN_SCHEMA: 'relational',
    });
  }

  async function seed(count = 400): Promise<void> {
    await sandbox.db.collection('sales').insertMany(makeSales(count));
  }

  async function readOne<T>(sql: string): Promise<T | undefined> {
    const { rows } = await sandbox.client.query<Record<string, unknown>>(sql);
    return rows[0] as T | undefined;
  }

  async function listTables(): Promise<string[]> {
    const { rows } = await sandbox.client.query<{ name: string }>(
      "SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY 1",
    );
    return rows.map(({ name }) => name);
  }

  it('makes columns and tables of nested values, and verify finds all of it equal', async () => {
    await seed();
    const collection = sandbox.db.collection('sales');
    await collection.createIndex({ 'customer.address.city': 1 });
    await collection.createIndex({ 'lines.from.city': 1 });
    await collection.createIndex({ 'customer.name': 1, 'lines.from.city': 1 });
    const { code, stdout, stderr } = await run();
    assert.equal(code, ExitCode.ok, stderr);
    assert.deepEqual(await listTables(), ['sales', 'sales_lines', 'sales_lines_taxes', 'sales_tags']);
    assert.match(
      stdout,
      /index customer\.name_1_lines\.from\.city_1: not carried over: its fields are in several tables/,
    );
    assert.deepEqual(
      await readOne(
        `SELECT s.customer_name, s.customer_address_city, l.lines_id, l.from_city, t.rate, t."of", s._extra
           FROM sales s JOIN sales_lines l USING (_id) JOIN sales_lines_taxes t USING (_id, lines_ordinal)
          WHERE _id = 19 AND lines_ordinal = 2 AND taxes_ordinal = 1`,
      ),
      {
        customer_name: 'name 9',
        customer_address_city: 'city 4',
        lines_id: '19/2',
        from_city: 'Rome',
        rate: 1,
        of: 'net',
        _extra: null,
      },
    );
    const { rows: odd } = await sandbox.client.query<{ _extra: unknown }>(
      'SELECT customer, _extra FROM sales WHERE _id IN (7, 15, 23, 31, 39) ORDER BY _id',
    );
    assert.deepEqual(odd, [
      { customer: 'a name', _extra: { lines: [] } },
      { customer: null, _extra: { customer: {}, lines: 'none', tags: 'one' } },
      { customer: null, _extra: null },
      { customer: null, _extra: null },
      { customer: null, _extra: null },
    ]);
    const { rows: indexes } = await sandbox.client.query<{ name: string; table: string }>(
      `SELECT indexname AS name, tablename AS "table" FROM pg_indexes WHERE schemaname = 'public' AND indexname ~ '_1$' ORDER BY 1`,
    );
    assert.deepEqual(indexes, [
      { name: 'sales_customer.address.city_1', table: 'sales' },
      { name: 'sales_lines.from.city_1', table: 'sales_lines' },
    ]);
    const verified = await run('verify');
    assert.equal(verified.code, ExitCode.ok, verified.stdout);
    await sandbox.client.query(
      'UPDATE sales_lines_taxes SET "of" = \'gross\' WHERE _id = 3 AND lines_ordinal = 2 AND taxes_ordinal = 1',
    );
    const different = await run('verify');
    assert.equal(different.code, ExitCode.different);
    assert.match(different.stdout, /column "sales_lines_taxes\[2\]\[1\]"/);
  });

  it('makes arrays of PostgreSQL with --scalar-arrays array', async () => {
    await seed();
    await sandbox.db.collection('sales').createIndex({ tags: 1 });
    const { code, stderr } = await run('--scalar-arrays', 'array', '--filter', '{"lines.sku": {"$ne": 7}}');
    assert.equal(code, ExitCode.ok, stderr);
    assert.deepEqual(await listTables(), ['sales', 'sales_lines', 'sales_lines_taxes']);
    assert.deepEqual(await readOne('SELECT tags, pg_typeof(tags)::text AS type FROM sales WHERE _id = 2'), {
      tags: ['tag 0', 'tag 1'],
      type: 'text[]',
    });
    assert.match(
      (
        await readOne<{ indexdef: string }>(
          "SELECT indexdef FROM pg_indexes WHERE indexname = 'sales_tags_1'",
        )
      )?.indexdef ?? '',
      /USING gin \(tags\)/,
    );
  });

  it('adds only columns with --flatten alone', async () => {
    await seed(16);
    const { code, stderr } = await runCli(['--flatten', '1'], {
      ...sandbox.env,
      MONGO_COLLECTION: 'sales',
      CLUSTER_IMPLEMENTATION: plainPool,
    });
    assert.equal(code, ExitCode.ok, stderr);
    assert.deepEqual(await listTables(), ['sales']);
    assert.deepEqual(
      await readOne('SELECT customer_name, customer_address, lines FROM sales WHERE _id = 0'),
      {
        customer_name: 'name 0',
        customer_address: { city: 'city 0', zip: 0 },
        lines: [],
      },
    );
  });

  it('can be written as a plan with the same result', async () => {
    await seed();
    const path = join(folder, 'plan.json');
    const planned = await run('plan', '--out', path, '--force');
    assert.equal(planned.code, ExitCode.ok, planned.stderr);
    assert.match(planned.stderr + planned.stdout, /CREATE TABLE "public"\."sales_lines_taxes"/);
    const text = await readFile(path, 'utf8');
    const plan = JSON.parse(text) as PlanFile;
    assert.deepEqual(plan.flatten, ['customer', 'customer.address']);
    assert.deepEqual(
      plan.children?.map(({ table, children = [] }) => [table, ...children.map((inner) => inner.table)]),
      [['sales_lines', 'sales_lines_taxes'], ['sales_tags']],
    );
    assert.ok(
      text.split('\n').every((line) => line.length < 200),
      text,
    );
    const { code, stderr } = await runCli(['--plan', path, '--verify'], {
      ...sandbox.env,
      MONGO_COLLECTION: 'sales',
      CLUSTER_IMPLEMENTATION: plainPool,
    });
    assert.equal(code, ExitCode.ok, stderr);
    assert.deepEqual(await listTables(), ['sales', 'sales_lines', 'sales_lines_taxes', 'sales_tags']);
  });

  it('fits existing tables: arrays without a table go to the extra column', async () => {
    await seed();
    assert.equal((await run()).code, ExitCode.ok);
    const emptied = await run('--restart', '--if-exists', 'truncate', '--verify');
    assert.equal(emptied.code, ExitCode.ok, emptied.stderr);
    await sandbox.client.query('DROP TABLE sales_lines_taxes; ALTER TABLE sales DROP customer_name');
    const fitted = await run('--restart', '--if-exists', 'truncate', '--verify');
    assert.equal(fitted.code, ExitCode.ok, fitted.stderr);
    assert.match(fitted.stdout + fitted.stderr, /the child table "sales_lines_taxes": is missing/);
    assert.deepEqual(
      await readOne(
        'SELECT s._extra AS own, l._extra AS line FROM sales s JOIN sales_lines l USING (_id) WHERE _id = 19 AND lines_ordinal = 1',
      ),
      { own: { customer: { name: 'name 9' } }, line: { taxes: [{ rate: 0, of: 'net' }] } },
    );
    await sandbox.client.query('ALTER TABLE sales_lines DROP lines_ordinal CASCADE');
    const refused = await run('--restart', '--if-exists', 'truncate');
    assert.equal(refused.code, ExitCode.target);
    assert.match(refused.stderr, /the child table "sales_lines": it lacks a column of its key/);
  });

  it('gives child tables other names than the tables of other collections', async () => {
    await seed(32);
    await sandbox.db.collection('sales_lines').insertMany([{ other: 1 }, { other: 2 }]);
    const { code, stderr } = await run('--mongo-collection', '*', '--verify');
    assert.equal(code, ExitCode.ok, stderr);
    const tables = await listTables();
    assert.deepEqual(await readOne('SELECT count(*)::int AS n FROM sales_lines'), { n: 2 });
    assert.ok(
      tables.some((name) => /^sales_lines_[0-9a-f]{8}$/.test(name)),
      tables.join(', '),
    );
  });

  it('gives each field a column of its own where names collide once they are flattened', async () => {
    const long = 'x'.repeat(45);
    const documents = Array.from({ length: 40 }, (_, _id) => ({
      _id,
      a: { b: { c: `${_id} inside` }, b_c: `${_id} beside` },
      a_b: { c: `${_id} above` },
      a_b_c: `${_id} at the top`,
      [long]: { [`${long}1`]: _id, [`${long}2`]: -_id },
      lines: [{ tags: [{ n: 1 }] }],
      lines_tags: [{ n: 2 }],
    }));
    await sandbox.db.collection('sales').insertMany(documents as unknown as Document[]);
    const { code, stdout, stderr } = await run('--verify');
    assert.equal(code, ExitCode.ok, stderr);
    assert.match(stdout, /are equal/);
    const row = await readOne<Record<string, unknown>>('SELECT * FROM sales WHERE _id = 7');
    assert.ok(row?._extra === null, JSON.stringify(row));
    assert.deepEqual(
      Object.values(row)
        .filter((value) => value !== null)
        .sort(),
      [-7, 7, '7 above', '7 at the top', '7 beside', '7 inside', 7].sort(),
    );
    assert.equal(row.a_b_c, '7 at the top');
    assert.ok(Object.keys(row).every((name) => Buffer.byteLength(name) <= 63));
    const tables = await listTables();
    assert.equal(tables.length, 4, tables.join(', '));
    const alike = tables.filter((name) => /^sales_lines_tags(_[0-9a-f]{8})?$/.test(name));
    const counts = alike.map((name) => `SELECT n FROM ${name}`).join(' UNION ALL ');
    assert.deepEqual(await readOne(`SELECT count(*)::int, sum(n)::int FROM (${counts}) t`), {
      count: 80,
      sum: 120,
    });
  });

  it('has tables for as many levels of arrays as a key has columns, and jsonb for deeper ones', async () => {
    const nest = (levels: number): Document[] => [
      { n: levels, ...(levels === 0 ? {} : { in: nest(levels - 1) }) },
    ];
    await sandbox.db
      .collection('sales')
      .insertMany([1, 2, 3].map((_id) => ({ _id, in: nest(40) })) as unknown as Document[]);
    const { code, stdout, stderr } = await run('--verify');
    assert.equal(code, ExitCode.ok, stderr);
    assert.match(stdout, /are equal/);
    assert.match(
      stderr,
      /1 array inside of 31 others stays jsonb: a key in PostgreSQL has at most 32 columns/,
    );
    const tables = await listTables();
    assert.equal(tables.length, 32, tables.join(', '));
  });

  it('resumes after a kill, with the plan of its start, and each row is loaded once', async (t) => {
    await seed(800);
    const failpoints = await setFailpoints(t, { 'primary-after-ack': 'kill@4' });
    const env = {
      ...sandbox.env,
      MONGO_COLLECTION: 'sales',
      CLUSTER_SIZE: '2',
      ITEMS_PER_PAGE: '50',
      PLAN_SCHEMA: 'relational',
    };
    assert.equal((await runCli([], { ...env, ...failpoints.env })).signal, 'SIGKILL');
    const { code, stdout, stderr } = await runCli(['--verify'], env);
    assert.equal(code, ExitCode.ok, stderr);
    assert.match(stdout, /read 800 = copied 800 /);
  });

  for (const ifExists of ['drop', 'truncate']) {
    for (const [first, second] of [
      ['sales_lines', 'sales'],
      ['sales', 'sales_lines'],
    ] as const) {
      it(`--if-exists ${ifExists} of ${second} leaves the rows alone that ${first} has in a table of that name`, async () => {
        await sandbox.db.collection('sales').insertMany(makeSales(20));
        await sandbox.db.collection('sales_lines').insertOne({ note: 'of its own' });
        const run = (collection: string, ...args: string[]) =>
          runCli(args, { ...sandbox.env, MONGO_COLLECTION: collection, PLAN_SCHEMA: 'relational' });
        assert.equal((await run(first)).code, ExitCode.ok);
        const count = async (): Promise<unknown> =>
          (await sandbox.client.query('SELECT count(*) FROM sales_lines')).rows;
        const before = await count();
        const { code, stderr } = await run(second, '--if-exists', ifExists);
        assert.equal(code, ExitCode.target, stderr);
        // A truncated table has to fit first.
        const isFit = ifExists === 'drop' || second === 'sales';
        const reason = isFit ? `has rows of \\w+\\.${first} — give` : 'does not fit the collection';
        assert.match(stderr, new RegExp(`the table "public"."sales_lines" ${reason}`));
        assert.deepEqual(await count(), before);
      });
    }
  }
});
