import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Decimal128, Double, Int32, Long, serialize, UUID, type Document } from 'bson';
import { copyRows } from '../../../src/postgres/load/copy.ts';
import { copyStatement, createTableStatement } from '../../../src/postgres/table/ddl.ts';
import { createRowEncoder } from '../../../src/transcode/row.ts';
import { noise } from '../../support/noise.ts';
import { makePlan, rawArray } from '../../support/raw-bson.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';
import type { ColumnType } from '../../../src/transcode/column-types/names.ts';

const columnCount = 1_200;
const textLengths = [0, 1, 20, 21, 31, 32, 60, 126, 127, 1_000];
const decimals = ['1', '-1.5', '1234567890123456789012345678901234', '1E+60', '1E-40', '1E+6000'];

/** Values of each type around the lengths at which Postgres changes their storage. */
const makers: Partial<Record<ColumnType, (seed: number) => unknown>> = {
  string: (seed) => {
    const length = textLengths[seed % textLengths.length] ?? 0;
    return seed % 2 === 0 ? noise(seed, length) : 'ab'.repeat(length / 2);
  },
  decimal: (seed) => Decimal128.fromString(decimals[seed % decimals.length] ?? '1'),
  json: (seed) => [[], { a: 1 }, 'x', [1, 2, 3], { a: 'b'.repeat(500) }, { a: noise(seed, 90) }][seed % 6],
  binary: (seed) => Buffer.alloc(textLengths[seed % textLengths.length] ?? 0),
  int32: (seed) => new Int32(seed),
  int64: (seed) => Long.fromNumber(seed),
  double: (seed) => new Double(seed + 0.5),
  boolean: (seed) => seed % 2 === 0,
  uuid: () => new UUID('00112233-4455-6677-8899-aabbccddeeff'),
};

describe('for any values of a row, those that stay in its columns fit a page', () => {
  let sandbox: Sandbox;
  before(async () => {
    sandbox = await createSandbox();
  });
  after(async () => {
    await sandbox.remove();
  });

  const types = Object.keys(makers) as ColumnType[];
  const shapes: Record<string, readonly ColumnType[]> = {
    'texts alone': ['string'],
    'numbers and short ones': ['boolean', 'double', 'boolean', 'int32', 'decimal'],
    'jsonb and bytes': ['json', 'binary', 'boolean'],
    'all types': types,
  };
  for (const [what, shape] of Object.entries(shapes)) {
    it(what, async () => {
      const { client } = sandbox;
      const typeOf = (index: number): ColumnType => shape[index % shape.length] ?? 'int32';
      const columns = Array.from(
        { length: columnCount },
        (_, index) => [`f${index}`, typeOf(index)] as const,
      );
      const plan = makePlan({ _id: 'int32', ...Object.fromEntries(columns) });
      const documents = Array.from({ length: 60 }, (_, _id): Document => {
        // Each value of a row alike, or each another.
        const seedOf = (index: number): number => (_id < 20 ? _id : _id * 7_919 + index * 31);
        return {
          _id,
          ...Object.fromEntries(columns.map(([name, type], index) => [name, makers[type]?.(seedOf(index))])),
        };
      });
      await client.query('DROP TABLE IF EXISTS things');
      await client.query(createTableStatement(plan));
      const encoded = createRowEncoder(plan).encodeBatch(
        rawArray(documents.map((document) => serialize(document))),
      );
      assert.deepEqual(encoded.deadLetters, []);
      assert.ok(encoded.extra.some(({ reason }) => reason === 'row_too_wide'));
      assert.equal(await copyRows(client, copyStatement(plan), encoded.copy), documents.length);
    });
  }
});
