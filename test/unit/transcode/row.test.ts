import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Binary, BSONSymbol, Decimal128, Double, Int32, Long, ObjectId, serialize } from 'bson';
import type { Plan } from '../../../src/transcode/plan.ts';
import { otherFields } from '../../../src/transcode/extra-counter.ts';
import { createRowEncoder, type DeadLetter } from '../../../src/transcode/row.ts';
import { key, scalar, toExtendedJson, value, type Value } from '../../support/arbitrary-bson.ts';
import { decodeRows, type Field } from '../../support/copy-decoder.ts';
import {
  int32,
  int64,
  makePlan,
  rawArray,
  rawDocument,
  type RawElement,
  rawString,
} from '../../support/raw-bson.ts';
import { type ColumnType, columnTypeNames } from '../../../src/transcode/column-types/names.ts';
import fc from '../../support/fast-check.ts';

const id = (n: number): RawElement => [0x10, '_id', int32(n)];
const smallPlan = makePlan({ _id: 'int32', a: 'int32', b: 'string' });

function describeDeadLetters(deadLetters: readonly DeadLetter[]): unknown[] {
  return deadLetters.map(({ ordinal, id, reason, column }) => [ordinal, id, reason, column]);
}

/**
 * The column's form of a value, or undefined if it rejects it; written with bigints, independent of the code
 * under test.
 */
function toField(type: ColumnType, of: Value): Field | undefined {
  if (of === null) return null;
  const integer =
    of instanceof Int32
      ? BigInt(of.value)
      : of instanceof Long && of.constructor === Long
        ? of.toBigInt()
        : of instanceof Double && Number.isInteger(of.value) && !Object.is(of.value, -0)
          ? BigInt(of.value)
          : undefined;
  const hex = (n: number): string => {
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleBE(n);
    return bytes.toString('hex');
  };
  switch (type) {
    case 'objectId':
      return of instanceof ObjectId ? of.toHexString() : undefined;
    case 'string':
      return typeof of === 'string' ? of : undefined;
    case 'int32':
      return integer !== undefined && BigInt.asIntN(32, integer) === integer ? Number(integer) : undefined;
    case 'int64':
      return integer !== undefined && BigInt.asIntN(64, integer) === integer ? integer : undefined;
    case 'double':
      if (of instanceof Double) return hex(of.value);
      return integer !== undefined && BigInt(Number(integer)) === integer ? hex(Number(integer)) : undefined;
    case 'boolean':
      return typeof of === 'boolean' ? of : undefined;
    case 'date':
      if (!(of instanceof Date) || of.getTime() < -210_866_803_200_000) return undefined;
      return (BigInt(of.getTime()) - 946_684_800_000n) * 1000n;
    case 'json':
      return toExtendedJson(of, 'relaxed');
    case 'objectIdBytes':
      return of instanceof ObjectId ? of.toHexString() : undefined;
    case 'symbol':
      return of instanceof BSONSymbol ? of.value : undefined;
    case 'uuid':
      return of instanceof Binary && of.sub_type === 4 ? of.toString('hex') : undefined;
    case 'binary':
      return of instanceof Binary && of.sub_type === 0 ? of.toString('hex') : undefined;
    case 'decimal':
      return toNumeric(of);
  }
}

/** The text that Postgres would show, or undefined: the number, without an exponent. */
function toNumeric(of: Value): string | undefined {
  if (of instanceof Long && of.constructor !== Long) return undefined;
  if (of instanceof Double && Object.is(of.value, -0)) return undefined;
  if (of instanceof Int32 || of instanceof Long) return of.toString();
  if (!(of instanceof Double || of instanceof Decimal128)) return undefined;
  const isWhole = of instanceof Double && Number.isInteger(of.value) && Math.abs(of.value) < 2 ** 64;
  const text = isWhole ? BigInt(of.value).toString() : of.toString();
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:E([+-]\d+))?$/i.exec(text) ?? [];
  if (whole === '') return text;
  const digits = whole + fraction;
  if (of instanceof Decimal128 && sign === '-' && /^0+$/.test(digits)) return undefined;
  const scale = fraction.length - Number(exponent);
  const integer = BigInt(digits).toString() + '0'.repeat(Math.max(-scale, 0));
  const padded = integer.padStart(scale + 1, '0');
  // Zero has no other digits, whatever its exponent.
  if (scale <= 0) return sign + BigInt(padded).toString();
  return `${sign}${padded.slice(0, -scale)}.${padded.slice(-scale)}`;
}

describe('RowEncoder', () => {
  it('makes a row of any documents, with any order of fields', () => {
    const types = columnTypeNames;
    const plan = makePlan({ _id: 'json', ...Object.fromEntries(types.map((type) => [`a ${type}`, type])) });
    const planned = fc.constantFrom(...plan.columns.slice(1).map(({ field }) => field));
    const entry = fc.oneof(fc.tuple(planned, fc.oneof(scalar, value)), fc.tuple(key, value));
    const document = fc
      .tuple(scalar, fc.uniqueArray(entry, { selector: ([name]) => name, maxLength: 12 }), fc.nat(12))
      .map(([id, entries, at]) => {
        const others = entries.filter(([name]) => name !== '_id');
        return new Map<string, Value>([...others.slice(0, at), ['_id', id], ...others.slice(at)]);
      });
    // One encoder for all: its state must not affect the next batch.
    const encoder = createRowEncoder(plan);
    fc.assert(
      fc.property(fc.array(document, { maxLength: 5 }), (documents) => {
        const batch = encoder.encodeBatch(rawArray(documents.map((document) => serialize(document))));
        assert.deepEqual(batch.deadLetters, []);
        assert.equal(batch.rowCount, documents.length);
        const rows = decodeRows(batch.copy, plan);
        assert.equal(rows.length, documents.length);
        let extraCount = 0;
        documents.forEach((document, i) => {
          const expected: Record<string, Field> = {};
          const extra = new Map<string, Value>();
          for (const [name, of] of document) {
            const column = plan.columns.find(({ field }) => field === name);
            if (column === undefined) extra.set(name, of);
          }
          for (const { field, column, type } of plan.columns) {
            const of = document.get(field) ?? null;
            const isId = field === '_id';
            const inColumn = isId ? toExtendedJson(of, 'canonical') : toField(type, of);
            expected[column] = inColumn ?? null;
            if (inColumn === undefined) extra.set(field, of);
          }
          extraCount += extra.size;
          expected._extra = extra.size > 0 ? toExtendedJson(extra, 'relaxed') : null;
          assert.deepEqual(rows[i], expected);
        });
        assert.equal(
          batch.extra.reduce((sum, { count }) => sum + count, 0),
          extraCount,
        );
      }),
      { numRuns: 1000 },
    );
  });

  it('makes an empty stream of an empty batch', () => {
    const batch = createRowEncoder(smallPlan).encodeBatch(rawArray([]));
    assert.deepEqual(decodeRows(batch.copy, smallPlan), []);
    assert.deepEqual(
      { ...batch, copy: null },
      {
        copy: null,
        documentCount: 0,
        rowCount: 0,
        deadLetters: [],
        extra: [],
        children: [],
        hasLongKey: false,
      },
    );
  });

  it('reports if an _id may be too long for the primary key', () => {
    const encoder = createRowEncoder(makePlan({ _id: 'string' }));
    const isLong = (length: number): boolean =>
      encoder.encodeBatch(rawArray([rawDocument([[2, '_id', rawString('x'.repeat(length))]])])).hasLongKey;
    assert.deepEqual([isLong(5), isLong(600), isLong(700), isLong(9_000)], [false, false, true, true]);
  });

  it('counts values in the extra column by field, type and reason', () => {
    const documents = [
      rawDocument([id(1), [2, 'a', rawString('x')], [8, 'new', Buffer.of(1)]]),
      rawDocument([id(2), [2, 'a', rawString('y')], [10, 'new', Buffer.of()]]),
      rawDocument([id(3), [0x10, 'a', int32(1)], [0x10, 'a', int32(2)]]),
      // A dead letter counts for nothing.
      rawDocument([id(4), [2, 'a', rawString('x')], [2, 'b', rawString('\0')]]),
    ];
    const { copy, extra } = createRowEncoder(smallPlan).encodeBatch(rawArray(documents));
    assert.deepEqual(extra, [
      { field: 'new', type: 'bool', reason: 'no_column', count: 1 },
      { field: 'new', type: 'null', reason: 'no_column', count: 1 },
      { field: 'a', type: 'string', reason: 'does_not_fit', count: 2 },
      { field: 'a', type: 'int', reason: 'duplicate_field', count: 1 },
    ]);
    assert.deepEqual(decodeRows(copy, smallPlan), [
      { _id: 1, a: null, b: null, _extra: '{"new":true,"a":"x"}' },
      { _id: 2, a: null, b: null, _extra: '{"new":null,"a":"y"}' },
      { _id: 3, a: 1, b: null, _extra: '{"a":2}' },
    ]);
  });

  it('counts fields that are too many, or have too long names, as others, and keeps their values', () => {
    const names = Array.from({ length: 3000 }, (_, i) => `field ${i}`);
    const long = 'n'.repeat(100_000);
    const members = [...names, long].map((name): RawElement => [0x10, name, int32(1)]);
    const encoder = createRowEncoder(smallPlan);
    for (let batch = 0; batch < 2; batch++) {
      const { copy, extra } = encoder.encodeBatch(rawArray([rawDocument([id(1), ...members])]));
      assert.equal(extra.length, 1025);
      assert.equal(extra.find(({ field }) => field === otherFields)?.count, 3001 - 1024);
      const [row] = decodeRows(copy, smallPlan);
      assert.ok(typeof row?._extra === 'string');
      assert.equal(Object.keys(JSON.parse(row._extra) as object).length, 3001);
    }
    const { extra } = encoder.encodeBatch(rawArray([rawDocument([id(1), [0x10, 'later', int32(1)]])]));
    assert.equal(extra[0]?.field, 'later');
  });

  it('makes a document whose extra column would have a field twice a dead letter', () => {
    const one: RawElement[] = [[0x10, 'x', int32(1)]];
    const long: RawElement[] = [[0x10, 'x'.repeat(300), int32(1)]];
    const misfit: RawElement[] = [[8, 'a', Buffer.of(1)]];
    const fit: RawElement[] = [[0x10, 'a', int32(1)]];
    const documents = [
      [id(0), ...one, ...one],
      [id(1), ...long, ...long],
      [id(2), ...misfit, ...fit],
      [id(3), ...fit, ...fit, ...fit],
      [id(4), ...fit, ...misfit],
      [id(5), id(6)],
    ].map((elements) => rawDocument(elements));
    const { copy, deadLetters } = createRowEncoder(smallPlan).encodeBatch(rawArray(documents));
    const canonical = (n: number): string => `{"$numberInt":"${n}"}`;
    assert.deepEqual(describeDeadLetters(deadLetters), [
      [0, canonical(0), 'duplicate_extra', '_extra'],
      [1, canonical(1), 'duplicate_extra', '_extra'],
      [2, canonical(2), 'duplicate_extra', '_extra'],
      [3, canonical(3), 'duplicate_extra', '_extra'],
    ]);
    assert.deepEqual(decodeRows(copy, smallPlan), [
      { _id: 4, a: 1, b: null, _extra: '{"a":true}' },
      { _id: 5, a: null, b: null, _extra: '{"_id":6}' },
    ]);
  });

  it('keeps whole documents in the extra column if the plan says so', () => {
    const whole: Plan = { ...smallPlan, extraColumn: 'document', keepsWhole: true };
    const documents = [
      rawDocument([id(1), [0x10, 'a', int32(1)], [3, 'new', rawDocument([[8, 'x', Buffer.of(1)]])]]),
      rawDocument([id(2), [2, 'a', rawString('misfit')]]),
      // jsonb has a name once, so that these would lose a value.
      rawDocument([id(3), [0x10, 'a', int32(1)], [0x10, 'a', int32(2)]]),
      rawDocument([id(4), [0x10, 'new', int32(1)], [0x10, 'new', int32(2)]]),
      rawDocument([id(5), [0x10, 'n'.repeat(300), int32(1)], [0x10, 'n'.repeat(300), int32(2)]]),
    ];
    const { copy, deadLetters, extra } = createRowEncoder(whole).encodeBatch(rawArray(documents));
    assert.deepEqual(decodeRows(copy, whole), [
      { _id: 1, a: 1, b: null, document: '{"_id":1,"a":1,"new":{"x":true}}' },
      { _id: 2, a: null, b: null, document: '{"_id":2,"a":"misfit"}' },
    ]);
    assert.deepEqual(extra, [{ field: 'a', type: 'string', reason: 'does_not_fit', count: 1 }]);
    assert.deepEqual(
      deadLetters.map(({ ordinal, reason, column }) => [ordinal, reason, column]),
      [2, 3, 4].map((ordinal) => [ordinal, 'duplicate_extra', 'document']),
    );
  });

  it('makes a document that cannot be a row a dead letter, removes it from the stream, and continues', () => {
    const bad: RawElement[][] = [
      [id(1), [2, 'b', rawString('a\0b')]],
      [id(2), [2, 'b', rawString('x'.repeat(100) + '\0')]],
      [id(3), [2, 'b', rawString(Buffer.from('eda080', 'hex'))]],
      [id(4), [2, 'new', rawString('\0')]],
      [id(5), [0x10, Buffer.from('ff', 'hex'), int32(1)]],
      [id(6), [3, 'new', rawDocument([[8, 'x', Buffer.of(2)]])]],
      [[0x10, 'a', int32(1)]],
      [[2, '_id', rawString('one')]],
      [[10, '_id', Buffer.of()]],
      [[2, '_id', rawString('\0')]],
    ];
    const good = rawDocument([id(0), [2, 'b', rawString('kept')]]);
    const documents = bad.flatMap((elements) => [rawDocument(elements), good]);
    const {
      copy,
      deadLetters,
      rowCount,
      documentCount: count,
    } = createRowEncoder(smallPlan).encodeBatch(rawArray(documents));
    assert.equal(count, 20);
    assert.equal(rowCount, 10);
    const canonical = (n: number): string => `{"$numberInt":"${n}"}`;
    assert.deepEqual(describeDeadLetters(deadLetters), [
      [0, canonical(1), 'nul', 'b'],
      [2, canonical(2), 'nul', 'b'],
      [4, canonical(3), 'invalid_utf8', 'b'],
      [6, canonical(4), 'nul', '_extra'],
      [8, canonical(5), 'invalid_utf8', '_extra'],
      [10, canonical(6), 'corrupt_bson', '_extra'],
      [12, null, 'missing_id', '_id'],
      [14, '"one"', 'id_type', '_id'],
      [16, 'null', 'id_type', '_id'],
      [18, null, 'id_type', '_id'],
    ]);
    for (const { ordinal, document } of deadLetters) assert.deepEqual(document, documents[ordinal]);
    assert.match(deadLetters[0]?.detail ?? '', /U\+0000.* at byte 21$/);
    const row = { _id: 0, a: null, b: 'kept', _extra: null };
    assert.deepEqual(
      decodeRows(copy, smallPlan),
      Array.from({ length: 10 }, () => row),
    );
  });

  it('distinguishes ids of several types in a jsonb column, including null', () => {
    const plan = makePlan({ _id: 'json' });
    const documents = [
      rawDocument([id(1)]),
      rawDocument([[0x12, '_id', int64(1n)]]),
      rawDocument([[2, '_id', rawString('1')]]),
      rawDocument([[10, '_id', Buffer.of()]]),
    ];
    const { copy } = createRowEncoder(plan).encodeBatch(rawArray(documents));
    assert.deepEqual(
      decodeRows(copy, plan).map((row) => row._id),
      ['{"$numberInt":"1"}', '{"$numberLong":"1"}', '"1"', 'null'],
    );
  });

  it('makes jsonb and rows of too many bytes dead letters', () => {
    const plan = makePlan({ _id: 'int32', a: 'json', b: 'string' });
    const encoder = createRowEncoder(plan, { maxJsonBytes: 100, maxRowBytes: 3_000_000 });
    const documents = [
      rawDocument([id(0), [2, 'a', rawString('x'.repeat(97))]]),
      rawDocument([id(1), [2, 'a', rawString('x'.repeat(98))]]),
      rawDocument([id(2), [2, 'c', rawString('x'.repeat(98))]]),
      rawDocument([id(3), [2, 'b', rawString('x'.repeat(2_999_970))]]),
      rawDocument([id(4), [2, 'b', rawString('x'.repeat(3_000_000))]]),
      rawDocument([id(5)]),
    ];
    const { deadLetters, rowCount } = encoder.encodeBatch(rawArray(documents));
    assert.equal(rowCount, 3);
    assert.deepEqual(
      deadLetters.map(({ ordinal, reason, column }) => [ordinal, reason, column]),
      [
        [1, 'too_large', 'a'],
        [2, 'too_large', '_extra'],
        [4, 'too_large', 'b'],
      ],
    );
  });

  it('writes numbers with their types in canonical Extended JSON', () => {
    const plan = makePlan({ _id: 'int32', a: 'json' });
    const document = rawDocument([id(1), [0x10, 'a', int32(2)], [0x12, 'c', int64(3n)]]);
    const { copy } = createRowEncoder({ ...plan, jsonStyle: 'canonical' }).encodeBatch(rawArray([document]));
    assert.deepEqual(decodeRows(copy, plan), [
      { _id: 1, a: '{"$numberInt":"2"}', _extra: '{"c":{"$numberLong":"3"}}' },
    ]);
  });
});
