import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Decimal128, serialize } from 'bson';
import type { ColumnTarget } from '../../../src/transcode/column-target.ts';
import type { Plan } from '../../../src/transcode/plan.ts';
import { copyRows } from '../../../src/postgres/load/copy.ts';
import { copyStatement } from '../../../src/postgres/table/ddl.ts';
import { readTable } from '../../../src/postgres/table/table.ts';
import { arrayOfDocuments } from '../../../src/bson/array.ts';
import { createRowEncoder } from '../../../src/transcode/row.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';
import fc from '../../support/fast-check.ts';

const amount = 400;

interface Limit {
  readonly type: string;
  readonly values: fc.Arbitrary<unknown>;
  /** The value as Postgres reads it without a limit, and the type that it has there. */
  readonly write: (value: unknown) => string;
  readonly unlimited: string;
}

const decimals = fc
  .tuple(fc.bigInt({ min: -(10n ** 12n), max: 10n ** 12n }), fc.integer({ min: -8, max: 4 }))
  .map(([digits, exponent]) => Decimal128.fromString(`${digits}E${exponent}`));
/** Few letters, many blanks. */
const texts = fc.string({ unit: fc.constantFrom('a', 'é', '😀', ' '), maxLength: 6 });
const doubles = fc.oneof(
  fc.double({ noNaN: true }),
  fc.float({ noNaN: true }),
  fc.integer({ min: -(2 ** 26), max: 2 ** 26 }).map((value) => value / 8),
);
const dates = fc
  .tuple(fc.integer({ min: -(10 ** 9), max: 10 ** 9 }), fc.constantFrom(0, 1, 10, 100, 999, 500))
  .map(([seconds, ms]) => new Date(seconds * 1000 + ms));
const showDate = (value: unknown): string => (value as Date).toISOString();

const limits: readonly Limit[] = [
  ...['numeric(10,2)', 'numeric(4,4)', 'numeric(2,5)', 'numeric(5,-3)', 'numeric(12,0)'].map((type) => ({
    type,
    values: decimals,
    write: String,
    unlimited: 'numeric',
  })),
  { type: 'varchar(3)', values: texts, write: String, unlimited: 'text' },
  {
    type: 'real',
    values: doubles,
    write: (value) => numberText(value as number),
    unlimited: 'double precision',
  },
  ...['timestamp(0)', 'timestamp(1)', 'timestamp(2)'].map((type) => ({
    type,
    values: dates,
    write: showDate,
    unlimited: 'timestamp',
  })),
];

describe('a value fits a column with a limit if Postgres stores it unchanged', () => {
  let sandbox: Sandbox;
  before(async () => {
    sandbox = await createSandbox();
  });
  after(async () => {
    await sandbox.remove();
  });

  for (const [index, { type, values, write, unlimited }] of limits.entries()) {
    it(type, async () => {
      const { client } = sandbox;
      const table = { schema: 'public', table: `limited_${index}` };
      await client.query(`CREATE TABLE ${table.table} (_id int, v ${type}, _extra jsonb)`);
      const sample = fc.sample(values, { numRuns: amount, seed: 1 });
      const documents = sample.map((v, _id) => Buffer.from(serialize({ _id, v })));
      const plan = await planFor(table);
      const { copy, deadLetters } = createRowEncoder(plan).encodeBatch(arrayOfDocuments(documents));
      assert.deepEqual(deadLetters, []);
      await copyRows(client, copyStatement(plan), copy);
      const written = sample.map(write);
      const { rows } = await client.query<{
        value: string;
        stored: string | null;
        isSame: boolean | null;
        isExtra: boolean;
      }>(
        `SELECT g.value, t.v::text AS stored, t.v::${unlimited} = g.value::${unlimited} AS "isSame",
                t._extra IS NOT NULL AS "isExtra"
           FROM unnest($1::text[]) WITH ORDINALITY g(value, place) LEFT JOIN ${table.table} t ON t._id = place - 1
          ORDER BY place`,
        [written],
      );
      assert.deepEqual(
        rows.filter(({ isSame }) => isSame === false),
        [],
        'no value was changed',
      );
      const kept = rows.filter(({ isExtra }) => isExtra);
      assert.ok(kept.length > 10 && kept.length < amount - 10, `${kept.length} of ${amount} do not fit`);
      for (const { value } of kept) {
        assert.equal(await isTakenAsItIs(value, type, unlimited), false, `${value} is refused without need`);
      }
    });
  }

  async function planFor(table: { schema: string; table: string }): Promise<Plan> {
    const found = await readTable(sandbox.client, table);
    const target = (name: string): ColumnTarget => {
      const column = found?.columns.find(({ column }) => column === name);
      assert.ok(column?.target);
      return column.target;
    };
    return {
      collection: 'things',
      ...table,
      columns: [
        { field: '_id', column: '_id', type: 'int32', target: target('_id') },
        { field: 'v', column: 'v', type: 'string', target: target('v') },
      ],
      extraColumn: '_extra',
    };
  }

  async function isTakenAsItIs(value: string, type: string, unlimited: string): Promise<boolean> {
    try {
      const { rows } = await sandbox.client.query<{ isSame: boolean }>(
        `SELECT $1::${unlimited}::${type}::${unlimited} = $1::${unlimited} AS "isSame"`,
        [value],
      );
      return rows[0]?.isSame === true;
    } catch {
      return false;
    }
  }
});

function numberText(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}
