import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Decimal128, Double, Int32, Long, serialize } from 'bson';
import { readIndexSpec } from '../../../../src/source/index-spec.ts';
import { bsonTypes } from '../../../../src/bson/types.ts';
import { int32, rawDocument } from '../../../support/raw-bson.ts';

const plain = {
  name: 'x',
  key: [{ path: 'a', kind: 1 }],
  isUnique: false,
  isSparse: false,
  partialFilter: null,
  locale: null,
  expireAfterSeconds: null,
};

describe('readIndexSpec', () => {
  it('keeps the order of the fields, also of those whose names are numbers', () => {
    const key = new Map<string, unknown>([
      ['name', 1],
      ['2024', -1],
      ['__proto__', 1],
      ['1', 'hashed'],
    ]);
    assert.deepEqual(readIndexSpec(serialize({ v: 2, key, name: 'x' })).key, [
      { path: 'name', kind: 1 },
      { path: '2024', kind: -1 },
      { path: '__proto__', kind: 1 },
      { path: '1', kind: 'hashed' },
    ]);
  });

  for (const [value, kind] of [
    [new Int32(1), 1],
    [new Int32(-1), -1],
    [new Double(-1), -1],
    [new Double(0.5), 1],
    [Long.fromNumber(-5), -1],
    [Decimal128.fromString('-1'), -1],
    [true, 1],
    ['', 1],
    ['2dsphere', '2dsphere'],
  ] as const) {
    it(`reads the kind ${typeof value === 'object' ? `${value._bsontype} ` : ''}${JSON.stringify(String(value))}`, () => {
      const { key } = readIndexSpec(serialize({ key: { a: value }, name: 'x' }));
      assert.deepEqual(key, [{ path: 'a', kind }]);
    });
  }

  it('has no options by default', () => {
    assert.deepEqual(readIndexSpec(serialize({ key: { a: 1 }, name: 'x' })), plain);
    const explicit = { unique: false, sparse: false, collation: { locale: 'simple' } };
    assert.deepEqual(readIndexSpec(serialize({ key: { a: 1 }, name: 'x', ...explicit })), plain);
  });

  it('reports a duplicate name in the filter, which an object would lose', () => {
    const operators = rawDocument([
      [bsonTypes.int, '$gt', int32(1)],
      [bsonTypes.int, '$gt', int32(5)],
    ]);
    const filter = rawDocument([[bsonTypes.object, 'a', operators]]);
    const spec = readIndexSpec(rawDocument([[bsonTypes.object, 'partialFilterExpression', filter]]));
    assert.equal(spec.doubledName, '$gt');
  });

  it('reads options, also as the numbers that old servers stored', () => {
    const partialFilterExpression = { a: { $gt: Long.fromNumber(5) } };
    const options = { collation: { locale: 'fr' }, expireAfterSeconds: new Double(60) };
    for (const yes of [true, new Int32(1), new Double(1), Long.fromNumber(1)]) {
      const spec = {
        key: { a: 1 },
        name: 'x',
        unique: yes,
        sparse: yes,
        partialFilterExpression,
        ...options,
      };
      assert.deepEqual(readIndexSpec(serialize(spec)), {
        ...plain,
        isUnique: true,
        isSparse: true,
        partialFilter: partialFilterExpression,
        locale: 'fr',
        expireAfterSeconds: 60,
      });
    }
  });
});
