import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Binary, BSONSymbol, Decimal128, Double, Long, ObjectId, Timestamp, UUID } from 'mongodb';
import { ExitCode } from '../../../src/common/errors.ts';
import { runCli } from '../../support/cli.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';

/** The value as Postgres shows it; or that it does not fit its column; or Postgres's own refusal. */
type Outcome = string | null | typeof misfit | { readonly refused: string };

const misfit = { isMisfit: true } as const;
const refused = (code: string) => ({ refused: code });

type Cases = readonly (readonly [value: unknown, outcome: Outcome])[];

const id = new ObjectId('0123456789abcdef01234567');
const uuid = '00112233-4455-6677-8899-aabbccddeeff';
const date = (text: string): Date => new Date(text);
const decimal = (text: string): Decimal128 => Decimal128.fromString(text);

const types = `
  CREATE TYPE mood AS ENUM ('sad', 'ok', 'it''s "fine"');
  CREATE DOMAIN code AS varchar(5) CHECK (VALUE <> 'bad');
  CREATE DOMAIN price AS numeric(6, 2) CHECK (VALUE >= 0);
  CREATE DOMAIN cheap AS price CHECK (VALUE < 10);
  CREATE DOMAIN address AS inet CHECK (family(VALUE) = 4);
  CREATE DOMAIN grid AS numeric(4, 1)[][];
  CREATE EXTENSION citext`;

/** Types with a binary form: the rows are copied directly into the table. */
const binary: Readonly<Record<string, Cases>> = {
  smallint: [
    [32767, '32767'],
    [-32768, '-32768'],
    [32768, misfit],
    [Long.fromString('-7'), '-7'],
    [Long.fromString('4294967296'), misfit],
    [new Double(3), '3'],
    [new Double(-0), misfit],
    [2.5, misfit],
    ['3', misfit],
    [null, null],
  ],
  integer: [
    [2147483647, '2147483647'],
    [Long.fromString('2147483648'), misfit],
    [new Double(12), '12'],
    [NaN, misfit],
    [true, misfit],
  ],
  bigint: [
    [Long.MAX_VALUE, '9223372036854775807'],
    [Long.MIN_VALUE, '-9223372036854775808'],
    [1, '1'],
    [new Double(2 ** 53), '9007199254740992'],
    [1.5, misfit],
  ],
  real: [
    [1.5, '1.5'],
    [0.1, misfit],
    [new Double(Math.fround(0.1)), '0.1'],
    [16777216, '1.6777216e+07'],
    [16777217, misfit],
    [Long.fromString('4611686018427387904'), '4.611686e+18'],
    [Long.fromString('4611686018427387905'), misfit],
    [NaN, 'NaN'],
    [-Infinity, '-Infinity'],
    [new Double(-0), '-0'],
    [1e300, misfit],
  ],
  'double precision': [
    [0.1, '0.1'],
    [new Double(-0), '-0'],
    [Infinity, 'Infinity'],
    [Long.fromString('9007199254740993'), misfit],
    [decimal('1'), misfit],
  ],
  numeric: [
    [decimal('-1.50'), '-1.50'],
    [decimal('Infinity'), 'Infinity'],
    [0.1, '0.1'],
    [Long.MAX_VALUE, '9223372036854775807'],
    ['1', misfit],
  ],
  'numeric(10,2)': [
    [1.25, '1.25'],
    [1.005, misfit],
    [decimal('1.50000'), '1.50'],
    [decimal('1.001'), misfit],
    [99999999.99, '99999999.99'],
    [100000000, misfit],
    [decimal('99999999.995'), misfit],
    [decimal('0.00'), '0.00'],
    [0.01, '0.01'],
    [-0.001, misfit],
    [NaN, 'NaN'],
    [Infinity, misfit],
    [10000, '10000.00'],
  ],
  'numeric(3,-2)': [
    [12300, '12300'],
    [12310, misfit],
    [99900, '99900'],
    [100000, misfit],
  ],
  'numeric(2,4)': [
    [0.0099, '0.0099'],
    [0.01, misfit],
    [0.00001, misfit],
  ],
  money: [
    [1.25, '$1.25'],
    [Long.fromString('1000000'), '$1,000,000.00'],
    [1.255, misfit],
    [decimal('92233720368547758.07'), '$92,233,720,368,547,758.07'],
    [decimal('92233720368547758.08'), misfit],
    [decimal('-92233720368547758.08'), '-$92,233,720,368,547,758.08'],
    [-0.01, '-$0.01'],
    [decimal('1E+3'), '$1,000.00'],
    [decimal('NaN'), misfit],
    ['$1.25', misfit],
  ],
  boolean: [
    [true, 'true'],
    [1, misfit],
  ],
  text: [
    ['', ''],
    ['tab\t, back\\slash, \\N, line\nbreak\r', 'tab\t, back\\slash, \\N, line\nbreak\r'],
    [id, '0123456789abcdef01234567'],
    [new BSONSymbol('symbol'), 'symbol'],
    [1, misfit],
  ],
  'varchar(5)': [
    ['12345', '12345'],
    ['ééééé', 'ééééé'],
    ['😀😀😀😀😀', '😀😀😀😀😀'],
    ['123  ', '123  '],
    ['12345 ', misfit],
    ['123456', refused('22001')],
    ['éééééé', refused('22001')],
    ['12345 6', refused('22001')],
    [id, misfit],
  ],
  'char(5)': [
    ['12345', '12345'],
    ['12', '12'],
    ['12345   ', misfit],
    ['123456', refused('22001')],
  ],
  name: [
    ['n'.repeat(63), 'n'.repeat(63)],
    ['n'.repeat(64), misfit],
    ['é'.repeat(32), misfit],
  ],
  citext: [['MiXed', 'MiXed']],
  mood: [
    ['ok', 'ok'],
    [`it's "fine"`, `it's "fine"`],
    ['OK', misfit],
    ['', misfit],
  ],
  code: [
    ['12345', '12345'],
    ['12345 ', misfit],
    ['123456', refused('22001')],
    ['bad', refused('23514')],
  ],
  price: [
    [1.25, '1.25'],
    [1.255, misfit],
    [10000, misfit],
    [-1, refused('23514')],
  ],
  cheap: [
    [9.99, '9.99'],
    [10, refused('23514')],
    [-1, refused('23514')],
    [0.005, misfit],
  ],
  uuid: [
    [new UUID(uuid), uuid],
    [uuid.toUpperCase(), uuid],
    [`{${uuid}}`, misfit],
    ['x'.repeat(36), misfit],
    [new Binary(Buffer.alloc(16), 0), misfit],
  ],
  bytea: [
    [new Binary(Buffer.of(0, 255)), '\\x00ff'],
    [id, '\\x0123456789abcdef01234567'],
    [new Binary(Buffer.of(1), 5), misfit],
    ['text', misfit],
  ],
  date: [
    [date('2024-02-29T00:00:00Z'), '2024-02-29'],
    [date('2024-02-29T00:00:00.001Z'), misfit],
    [date('1969-12-31T00:00:00Z'), '1969-12-31'],
    [date('-004713-11-24T00:00:00Z'), '4714-11-24 BC'],
    [date('-004713-11-23T00:00:00Z'), misfit],
    [date('+275760-09-13T00:00:00Z'), '275760-09-13'],
    ['2024-02-29', misfit],
  ],
  timestamp: [
    [date('2024-02-29T12:34:56.789Z'), '2024-02-29 12:34:56.789'],
    [date('1600-01-01T00:00:00.001Z'), '1600-01-01 00:00:00.001'],
    [new Timestamp({ t: 1, i: 1 }), misfit],
  ],
  'timestamp(0)': [
    [date('2024-02-29T12:34:56Z'), '2024-02-29 12:34:56'],
    [date('2024-02-29T12:34:56.500Z'), misfit],
  ],
  timestamptz: [[date('2024-02-29T12:34:56.789Z'), '2024-02-29 12:34:56.789+00']],
  'timestamptz(2)': [
    [date('2024-02-29T12:34:56.780Z'), '2024-02-29 12:34:56.78+00'],
    [date('1960-02-29T12:34:56.789Z'), misfit],
  ],
  time: [
    ['23:59', '23:59:00'],
    ['00:00:00.000001', '00:00:00.000001'],
    ['12:34:56.7', '12:34:56.7'],
    ['12:34:56.1234567', misfit],
    ['24:00', misfit],
    ['noon', misfit],
    [date('2024-02-29T12:34:56Z'), misfit],
  ],
  'time(1)': [
    ['12:34:56.70', '12:34:56.7'],
    ['12:34:56.75', misfit],
  ],
  json: [
    [{ b: 1, a: [true, null] }, '{"b":1,"a":[true,null]}'],
    ['text', '"text"'],
    [id, '{"$oid":"0123456789abcdef01234567"}'],
  ],
  jsonb: [
    [{ b: 1, a: [1.5] }, '{"a": [1.5], "b": 1}'],
    [date('2024-02-29T12:34:56Z'), '{"$date": "2024-02-29T12:34:56Z"}'],
  ],
  'text[]': [
    [['a', 'b"c', null, ''], '{a,"b\\"c",NULL,""}'],
    [[], '{}'],
    [['a', 1], misfit],
    [[['a']], misfit],
    ['a', misfit],
    [{ 0: 'a' }, misfit],
  ],
  'integer[]': [
    [[1, new Double(2), Long.fromString('3')], '{1,2,3}'],
    [[1, 2.5], misfit],
  ],
  'integer[][]': [
    [
      [
        [1, 2],
        [3, null],
      ],
      '{{1,2},{3,NULL}}',
    ],
    [[], '{}'],
    [[[1], [2, 3]], misfit],
    [[[1], []], misfit],
    [[[], []], misfit],
    [[[1], null], misfit],
    [[[1], 2], misfit],
    [[1, 2], misfit],
    [[[[1]]], misfit],
    [[[1.5]], misfit],
  ],
  'text[][][]': [
    [
      [
        [
          ['a', ''],
          ['{"}', '\\'],
        ],
      ],
      '{{{a,""},{"{\\"}","\\\\"}}}',
    ],
    [[[['a', 'b'], ['c']]], misfit],
  ],
  grid: [
    [[['1.5'], ['2']], misfit],
    [[[1.5], [2]], '{{1.5},{2.0}}'],
    [[1.5], misfit],
  ],
  'jsonb[][]': [
    [[[[1], 2]], '{{[1],2}}'],
    [[[[1], [2, 3]]], '{{[1],"[2, 3]"}}'],
  ],
  'varchar(3)[]': [
    [['abc', 'd'], '{abc,d}'],
    [['abc '], misfit],
    [['abcd'], refused('22001')],
  ],
  'numeric(4,1)[]': [
    [[1.5, 999.9], '{1.5,999.9}'],
    [[1.55], misfit],
  ],
  'timestamptz[]': [[[date('2024-02-29T12:34:56Z')], '{"2024-02-29 12:34:56+00"}']],
  'mood[]': [
    [['ok', 'sad'], '{ok,sad}'],
    [['ok', 'bored'], misfit],
  ],
  'uuid[]': [[[new UUID(uuid)], `{${uuid}}`]],
  'jsonb[]': [[[{ a: 1 }, 2], '{"{\\"a\\": 1}",2}']],
  'money[]': [[[1, 2.5], '{$1.00,$2.50}']],
  'cheap[]': [
    [[9.99], '{9.99}'],
    [[10], refused('23514')],
  ],
};

/** Types whose text form Postgres reads: the rows of a table that has one are copied as text, with all their columns. */
const textForm: Readonly<Record<string, Cases>> = {
  ...binary,
  inet: [
    ['192.168.0.1/24', '192.168.0.1/24'],
    ['300.0.0.1', refused('22P02')],
    [1, misfit],
  ],
  cidr: [
    ['10.0.0.0/8', '10.0.0.0/8'],
    ['10.0.0.1/8', refused('22P02')],
  ],
  macaddr: [['08:00:2b:01:02:03', '08:00:2b:01:02:03']],
  point: [
    ['(1.5,-0.1)', '(1.5,-0.1)'],
    ['(0.12345678901234567,1)', misfit],
    ['(1e999,1)', misfit],
  ],
  tsvector: [[`a 'b c' a`, `'a' 'b c'`]],
  'bit(3)': [
    ['101', '101'],
    ['1011', refused('22026')],
  ],
  'varbit(3)': [
    ['1', '1'],
    ['1011', refused('22001')],
  ],
  int4range: [
    ['[1,5]', '[1,6)'],
    ['[5,1]', refused('22000')],
  ],
  tstzrange: [
    ['[2024-01-01 00:00:00.123456+00,)', '["2024-01-01 00:00:00.123456+00",)'],
    ['[2024-01-01 00:00:00.1234567+00,)', misfit],
  ],
  interval: [
    ['1 day 02:03:04.5', '1 day 02:03:04.5'],
    ['P1Y2M', '1 year 2 mons'],
    ['0.1234567 s', misfit],
    ['soon', refused('22007')],
  ],
  address: [
    ['10.0.0.1', '10.0.0.1/32'],
    ['::1', refused('23514')],
  ],
  'inet[]': [
    [['10.0.0.1', null], '{10.0.0.1,NULL}'],
    [['10.0.0'], refused('22P02')],
  ],
  'inet[][]': [
    [
      [
        ['10.0.0.1', null],
        ['::1', '10.0.0.0/8'],
      ],
      '{{10.0.0.1,NULL},{::1,10.0.0.0/8}}',
    ],
    [[['10.0.0.1'], []], misfit],
    [[['10.0.0']], refused('22P02')],
  ],
  'box[]': [[['(1,1),(0,0)', null, '(2,2),(1,1)'], '{(1,1),(0,0);NULL;(2,2),(1,1)}']],
};

describe('the column types of an existing table', () => {
  let sandbox: Sandbox;
  before(async () => {
    sandbox = await createSandbox();
    await sandbox.client.query(`SET timezone = 'UTC'; ${types}`);
  });
  after(async () => {
    await sandbox.remove();
  });

  /** A document for each case, with a value for the one column. */
  function listCases(table: Readonly<Record<string, Cases>>) {
    return Object.entries(table)
      .flatMap(([type, cases], column) =>
        cases.map(([value, outcome]) => ({ type, column: `c${column}`, value, outcome })),
      )
      .map((one, index) => ({ _id: index + 1, ...one }));
  }

  async function load(
    name: string,
    table: Readonly<Record<string, Cases>>,
    extra: boolean,
    ...args: string[]
  ): Promise<{ found: Map<number, Outcome>; columns: Map<number, string | null> }> {
    const { client, db } = sandbox;
    const columns = Object.keys(table).map((type, index) => `c${index} ${type}`);
    await client.query(
      `CREATE TABLE ${name} (_id int, ${[...columns, ...(extra ? ['_extra jsonb'] : [])].join(', ')})`,
    );
    const cases = listCases(table);
    await db
      .collection<{ _id: number }>(name)
      .insertMany(cases.map(({ _id, column, value }) => ({ _id, [column]: value })));
    const env = { ...sandbox.env, MONGO_COLLECTION: name, CLUSTER_SIZE: '1' };
    const { code, stderr } = await runCli(args, env);
    assert.equal(code, ExitCode.deadLetters, stderr);

    const texts = Object.keys(table).map((_, index) => `c${index}::text`);
    const { rows } = await client.query<{ _id: number; values: (string | null)[]; extra: object | null }>(
      `SELECT _id, ARRAY[${texts.join(', ')}] AS values, ${extra ? '_extra' : 'NULL'} AS extra FROM ${name}`,
    );
    const found = new Map<number, Outcome>();
    const places = new Map<number, string | null>();
    for (const { _id, values, extra: rest } of rows) {
      found.set(_id, rest === null ? (values.find((value) => value !== null) ?? null) : misfit);
      if (rest !== null) places.set(_id, Object.keys(rest).join());
    }
    const { rows: letters } = await client.query<{
      _id: number;
      reason: string;
      code: string | null;
      column: string | null;
    }>(
      `SELECT (document_id::jsonb->>'$numberInt')::int AS _id, reason, code, column_name AS "column"
         FROM mongo2pg.dead_letters WHERE collection = $1`,
      [`${sandbox.mongoDb}.${name}`],
    );
    for (const { _id, reason, code: state, column } of letters) {
      assert.ok(!found.has(_id), `${_id} is a row and a dead letter`);
      found.set(_id, reason === 'refused' ? refused(state ?? '') : misfit);
      places.set(_id, column);
    }
    return { found, columns: places };
  }

  function check(
    table: Readonly<Record<string, Cases>>,
    { found, columns }: Awaited<ReturnType<typeof load>>,
    expect: (outcome: Outcome) => Outcome = (outcome) => outcome,
  ): void {
    for (const { _id, type, column, value, outcome } of listCases(table)) {
      const what = `${type} given ${JSON.stringify(value)}`;
      const wanted = expect(outcome);
      assert.deepEqual(found.get(_id), wanted, what);
      const isPlaced = typeof wanted !== 'string' && wanted !== null;
      assert.equal(columns.get(_id), isPlaced ? column : undefined, `the column of ${what}`);
    }
  }

  it('accept exactly what they can hold, one document at a time', async () => {
    check(binary, await load('single', binary, false, '--items-per-page', '1'));
  });

  it('and in one batch, whose rejected rows are loaded row by row', async () => {
    check(binary, await load('batch', binary, false));
  });

  it('with an extra column, values that do not fit are kept there', async () => {
    const expect = (outcome: Outcome): Outcome => {
      const isTooLong =
        typeof outcome === 'object' &&
        outcome !== null &&
        'refused' in outcome &&
        outcome.refused === '22001';
      return isTooLong ? misfit : outcome;
    };
    check(binary, await load('extra', binary, true), expect);
  });

  it('are loaded from text if they have no other form', async () => {
    check(textForm, await load('text_single', textForm, false, '--items-per-page', '1'));
    check(textForm, await load('text_batch', textForm, false));
  });
});
