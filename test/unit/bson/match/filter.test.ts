/** Filters: the same answer from the intervals of `_id` and from the operators, with MongoDB's type bracketing. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BSONRegExp, Decimal128, Double, Long, MaxKey, MinKey, ObjectId, serialize } from 'bson';
import { Collection } from '../../../../packages/trial-servers/src/mongo/storage/collection.ts';
import { QueryError, UnsupportedError } from '../../../../src/bson/match/errors.ts';
import { matchesDocument, parseFilter } from '../../../../src/bson/match/filter.ts';
import { countMatches } from '../../../../packages/trial-servers/src/mongo/query/matches.ts';

function encode(document: object): Buffer {
  return Buffer.from(serialize(document, { ignoreUndefined: false }));
}

function isMatch(filter: object, document: object): boolean {
  return matchesDocument(parseFilter(encode(filter), 0), encode(document), 0);
}

const oid = new ObjectId('0123456789abcdef01234567');
const values: readonly unknown[] = [
  ...[new MinKey(), null, new Double(Number.NaN), new Double(-Infinity), -1, 0, 1.5, Long.MAX_VALUE],
  ...[Decimal128.fromString('1E+30'), new Double(Infinity), '', 'a', 'b', { a: 1 }, oid, false, true],
  ...[new Date(0), new MaxKey()],
];

/** Which of `values` match the condition: as a field, and as `_id` through the index, which must agree. */
function select(condition: unknown): unknown[] {
  const collection = new Collection();
  const selected = values.filter((value) => {
    const document = encode({ _id: value });
    assert.ok(collection.insert(document, 0, document.length));
    const isSelected = isMatch({ v: condition }, { v: value });
    assert.equal(isMatch({ _id: condition }, { _id: value }), isSelected);
    return isSelected;
  });
  assert.equal(countMatches(collection, parseFilter(encode({ _id: condition }), 0)), selected.length);
  return selected;
}

function assertRefused(filter: object, code: number): void {
  assert.throws(
    () => parseFilter(encode(filter), 0),
    (error) => error instanceof QueryError && error.code === code,
  );
}

describe('parseFilter', () => {
  it('compares within the type of the operand', () => {
    assert.deepEqual(select({ $gt: 0 }), [
      1.5,
      Long.MAX_VALUE,
      Decimal128.fromString('1E+30'),
      new Double(Infinity),
    ]);
    assert.deepEqual(select({ $lt: 0 }), [new Double(-Infinity), -1]);
    assert.deepEqual(select({ $lte: 0 }), [new Double(-Infinity), -1, 0]);
    assert.deepEqual(select({ $gte: 'a' }), ['a', 'b']);
    assert.deepEqual(select({ $gt: false }), [true]);
    assert.deepEqual(select({ $gte: {} }), [{ a: 1 }]);
    assert.deepEqual(select({ $gte: new ObjectId('000000000000000000000000') }), [oid]);
  });

  it('compares NaN only for equality', () => {
    assert.deepEqual(select({ $gt: Number.NaN }), []);
    assert.deepEqual(select({ $lt: Number.NaN }), []);
    assert.equal(select({ $gte: Number.NaN }).length, 1);
    assert.equal(select({ $lte: Decimal128.fromString('NaN') }).length, 1);
    assert.equal(select({ $eq: Number.NaN }).length, 1);
  });

  it('compares null only for equality', () => {
    assert.deepEqual(select({ $gt: null }), []);
    assert.deepEqual(select({ $gte: null }), [null]);
    assert.deepEqual(select(null), [null]);
  });

  it('compares MinKey and MaxKey with values of all types', () => {
    assert.equal(select({ $gt: new MinKey() }).length, values.length - 1);
    assert.equal(select({ $gte: new MinKey() }).length, values.length);
    assert.equal(select({ $lt: new MaxKey() }).length, values.length - 1);
    assert.deepEqual(select({ $gt: new MaxKey() }), []);
    assert.deepEqual(select({ $lt: new MinKey() }), []);
    assert.deepEqual(select({ $gte: new MaxKey() }), [new MaxKey()]);
  });

  it('knows types by number, name and group', () => {
    assert.deepEqual(select({ $type: 'string' }), ['', 'a', 'b']);
    assert.deepEqual(select({ $type: 2 }), ['', 'a', 'b']);
    assert.deepEqual(select({ $type: 'int' }), [-1, 0]);
    assert.equal(select({ $type: 'number' }).length, 8);
    assert.deepEqual(select({ $type: ['bool', 7, -1] }), [new MinKey(), oid, false, true]);
    assertRefused({ v: { $type: 'float' } }, 2);
    assertRefused({ v: { $type: 20 } }, 2);
    assertRefused({ v: { $type: true } }, 14);
    assertRefused({ v: { $type: [] } }, 9);
  });

  it('joins conditions on one field and lists of values', () => {
    assert.deepEqual(select({ $gt: -1, $lt: 2, $type: ['int', 'double'] }), [0, 1.5]);
    assert.deepEqual(select({ $in: [0, 'a', oid, 0, 'z'] }), [0, 'a', oid]);
    assert.equal(select({ $nin: [0, 'a'] }).length, values.length - 2);
    assert.equal(select({ $ne: 0 }).length, values.length - 1);
    assert.equal(select({ $not: { $gt: 0 } }).length, values.length - 4);
    assert.deepEqual(select({ $exists: false }), []);
    assert.deepEqual(select(new BSONRegExp('^A', 'i')), ['a']);
    assert.deepEqual(select({ $regex: 'B', $options: 'i' }), ['b']);
  });

  it('joins filters by $and, $or and $nor', () => {
    assert.ok(isMatch({ $and: [{ _id: { $gt: 1 } }, { _id: { $lt: 3 } }] }, { _id: 2 }));
    assert.ok(!isMatch({ $and: [{ _id: { $gt: 1 } }, { _id: { $lt: 3 } }] }, { _id: 3 }));
    assert.ok(isMatch({ $or: [{ _id: 1 }, { a: 'x' }] }, { _id: 2, a: 'x' }));
    assert.ok(!isMatch({ $or: [{ _id: 1 }, { a: 'x' }] }, { _id: 2, a: 'y' }));
    assert.ok(isMatch({ $nor: [{ _id: 1 }, { a: 'x' }] }, { _id: 2 }));
    assertRefused({ $or: [] }, 2);
  });

  it('follows paths through documents and arrays', () => {
    assert.ok(isMatch({ 'a.b': 1 }, { a: { b: 1 } }));
    assert.ok(isMatch({ 'a.b': 2 }, { a: [{ b: 1 }, { b: 2 }] }));
    assert.ok(isMatch({ 'a.1.b': 2 }, { a: [{ b: 1 }, { b: 2 }] }));
    assert.ok(isMatch({ a: 2 }, { a: [1, 2] }));
    assert.ok(isMatch({ a: [1, 2] }, { a: [1, 2] }));
    assert.ok(isMatch({ a: { $size: 2 } }, { a: [1, 2] }));
    assert.ok(!isMatch({ a: { $ne: 2 } }, { a: [1, 2] }));
    assert.ok(isMatch({ 'a.b': { $exists: false } }, { a: 1 }));
    assert.ok(isMatch({ a: null }, {}));
  });

  it('enters arrays in arrays by number only, and checks all elements for a missing field', () => {
    const nested = { a: [5, [2, 4], [{ b: 1 }]] };
    assert.ok(!isMatch({ 'a.1': 2 }, nested));
    assert.ok(isMatch({ 'a.1': [2, 4] }, nested));
    assert.ok(isMatch({ 'a.1.0': 2 }, nested));
    assert.ok(!isMatch({ 'a.b': 1 }, nested));
    assert.ok(isMatch({ 'a.2.b': 1 }, nested));
    assert.ok(!isMatch({ 'a.b': null }, { a: [] }));
    assert.ok(isMatch({ 'a.b': null }, { a: [{ b: 1 }, {}] }));
    assert.ok(!isMatch({ 'a.b': { $exists: false } }, { a: [{ b: 1 }, {}] }));
    assert.ok(isMatch({ 'a.b': { $exists: false } }, { a: [] }));
    assert.ok(isMatch({ 'a.b': { $exists: false } }, { a: [1, { c: 1 }] }));
  });

  it('matches a missing _id', () => {
    assert.ok(!isMatch({ _id: { $exists: true } }, { a: 1 }));
    assert.ok(isMatch({ _id: { $exists: false } }, { a: 1 }));
    assert.ok(!isMatch({ _id: { $exists: false } }, { _id: 1 }));
  });

  it('refuses unknown operators, with the code of MongoDB', () => {
    assertRefused({ a: { $foo: 1 } }, 2);
    assertRefused({ a: { $gt: 1, b: 2 } }, 2);
    assertRefused({ $foo: 1 }, 2);
    assertRefused({ a: { $mod: [2, 0] } }, 238);
    assertRefused({ $where: 'true' }, 238);
    assertRefused({ a: { $in: 1 } }, 2);
    assertRefused({ a: { $gt: new BSONRegExp('a') } }, 2);
    assert.throws(
      () => parseFilter(encode({ $or: [{ x: 1 }, { 'a.b': { $not: { $elemMatch: {} } } }] }), 0),
      (error) =>
        error instanceof UnsupportedError && error.what === 'the operator $elemMatch' && error.path === 'a.b',
    );
  });
});
