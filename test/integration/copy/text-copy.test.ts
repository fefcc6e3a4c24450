import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Binary, BSON, Decimal128, Double, Int32, Long } from 'bson';
import { valueKinds } from '../../../src/transcode/column-types/registry.ts';
import type { Plan } from '../../../src/transcode/plan.ts';
import { copyRows } from '../../../src/postgres/load/copy.ts';
import { copyStatement } from '../../../src/postgres/table/ddl.ts';
import { readTable } from '../../../src/postgres/table/table.ts';
import { arrayOfDocuments } from '../../../src/bson/array.ts';
import { createRowEncoder } from '../../../src/transcode/row.ts';
import { TextRows } from '../../../src/transcode/copy/text-rows.ts';
import { bsonTypes } from '../../../src/bson/types.ts';
import { text } from '../../support/arbitrary-bson.ts';
import { everyValue } from '../../support/bson-corpus.ts';
import { int32, int64, rawDocument, type RawElement } from '../../support/raw-bson.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';
import fc from '../../support/fast-check.ts';

const types = [
  ...[
    'smallint',
    'integer',
    'bigint',
    'real',
    'double precision',
    'numeric',
    'numeric(10,2)',
    'money',
    'boolean',
  ],
  ...['text', 'varchar(5)', 'char(3)', 'name', 'mood', 'uuid', 'bytea', 'json', 'jsonb'],
  ...['date', 'timestamp', 'timestamp(1)', 'timestamptz', 'time'],
];
const columns = [...types, ...types.map((type) => `${type}[]`), 'text[][]', 'numeric[][]'].map(
  (type, index) => ({
    name: `c${index}`,
    type,
    isArray: index >= types.length,
  }),
);

const texts = [
  '\\.',
  '\\N',
  '\\\\',
  '\t\n\r\b\f\v',
  '{"a,b"}',
  'NULL',
  ' ',
  'ok',
  `it's "\\`,
  '23:59:59.999999',
  '00:00',
];
const dates = [
  '-004713-11-24',
  '-000001-01-01',
  '0000-02-29',
  '0001-01-01',
  '0099-12-31',
  '1999-12-31',
  '+010000-01-01',
];
const arbitrary: fc.Arbitrary<unknown> = fc.oneof(
  text,
  fc.double().map((value) => new Double(value)),
  fc.float().map((value) => new Double(value)),
  fc.integer({ min: -99_999_999, max: 99_999_999 }).map((value) => new Double(value / 100)),
  fc.maxSafeInteger().map((value) => Decimal128.fromString(`${value}E${(value % 30) - 20}`)),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value) => Long.fromBigInt(value)),
  fc.integer({ min: -32768, max: 32767 }).map((value) => new Int32(value)),
  fc.date({ noInvalidDate: true }),
  fc.integer({ min: -90_000_000, max: 90_000_000 }).map((day) => new Date(day * 86_400_000)),
  fc.uint8Array({ maxLength: 40 }).map((bytes) => new Binary(bytes, 0)),
);
/** The last of Postgres's, and one day after the last of JavaScript's. */
const farDates = [9_224_318_015_999_999n, 8_640_000_086_400_000n];

describe('the text form of a row', () => {
  let sandbox: Sandbox;
  before(async () => {
    sandbox = await createSandbox();
  });
  after(async () => {
    await sandbox.remove();
  });

  it('is the same row as the binary form, whatever the settings of the session are', async () => {
    const { client } = sandbox;
    const list = columns.map(({ name, type }) => `${name} ${type}`).join(', ');
    await client.query(`
      CREATE TYPE mood AS ENUM ('ok', 'it''s "\\');
      CREATE TABLE as_binary (_id int, ${list}, _extra jsonb);
      CREATE TABLE as_text (LIKE as_binary)`);
    const table = await readTable(client, { schema: 'public', table: 'as_binary' });
    assert.ok(table !== null);
    const plan: Plan = {
      collection: 'things',
      schema: 'public',
      table: 'as_binary',
      columns: table.columns
        .filter(({ column }) => column !== '_extra')
        .map(({ column, target }) => {
          assert.ok(target !== null);
          return { field: column, column, type: valueKinds[target.kind].planTypes[0], target };
        }),
      extraColumn: '_extra',
    };
    const values = [
      ...everyValue,
      ...texts,
      ...dates.map((date) => new Date(`${date}T00:00:00Z`)),
      ...fc.sample(arbitrary, { numRuns: 500, seed: 1 }),
    ];
    const documents = values.map((value, _id) => {
      const fields = columns.map(({ name, type, isArray }): [string, unknown] => [
        name,
        type.endsWith('[][]') ? [[value], [null]] : isArray ? [value, null, value] : value,
      ]);
      return BSON.serialize({ _id: new Int32(_id), ...Object.fromEntries(fields) });
    });
    const ofDates = columns.filter(({ type }) => /^(date|timestamp\w*)$/.test(type));
    for (const ms of farDates) {
      const fields = ofDates.map(({ name }): RawElement => [bsonTypes.date, name, int64(ms)]);
      documents.push(rawDocument([[bsonTypes.int, '_id', int32(documents.length)], ...fields]));
    }
    const { copy, rowCount, deadLetters } = createRowEncoder(plan).encodeBatch(arrayOfDocuments(documents));
    assert.deepEqual(deadLetters, []);
    assert.equal(await copyRows(client, copyStatement(plan), copy), rowCount);
    await client.query(`SET datestyle = 'SQL, DMY'; SET timezone = 'Asia/Kolkata'; SET extra_float_digits = 0;
      SET bytea_output = escape; SET intervalstyle = iso_8601`);
    assert.equal(
      await copyRows(client, 'COPY as_text FROM STDIN', new TextRows(plan).convert(copy)),
      rowCount,
    );
    await client.query('RESET ALL');

    for (const { name, type, isArray } of [...columns, { name: '_extra', type: 'jsonb', isArray: false }]) {
      // Of json, Postgres does not know when two are equal.
      const isDistinct =
        type.startsWith('json') && !type.startsWith('jsonb')
          ? 'false'
          : `b.${name} IS DISTINCT FROM t.${name}`;
      const { rows } = await client.query<{ _id: number; binary: string; text: string }>(
        `SELECT _id, b.${name}::text AS binary, t.${name}::text AS text FROM as_binary b FULL JOIN as_text t USING (_id)
          WHERE ${isDistinct} OR b.${name}::text IS DISTINCT FROM t.${name}::text`,
      );
      assert.deepEqual(rows, [], type);
      const { rows: counts } = await client.query<{ count: number }>(
        `SELECT count(${name})::int FROM as_text`,
      );
      assert.ok((counts[0]?.count ?? 0) >= (isArray ? 1 : 2), `values of ${type}`);
    }
  });
});
