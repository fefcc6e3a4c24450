import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bsonTypes, type BsonTypeName } from '../../../../src/bson/types.ts';
import { findField, wrapBytes } from '../../../../src/bson/cursor.ts';
import {
  chooseColumnType,
  chooseIdType,
  nameSeenType,
  type SeenType,
} from '../../../../src/plan/infer/column-type.ts';
import { int32, rawDocument } from '../../../support/raw-bson.ts';
import type { ColumnType } from '../../../../src/transcode/column-types/names.ts';

const own: Partial<Record<SeenType, ColumnType>> = {
  objectId: 'objectId',
  string: 'string',
  symbol: 'symbol',
  int: 'int32',
  long: 'int64',
  double: 'double',
  decimal: 'decimal',
  bool: 'boolean',
  date: 'date',
  uuid: 'uuid',
  binData: 'binary',
};

/** The column type of numbers of different types in one field; every other pair becomes jsonb. */
const mixed: [SeenType[], ColumnType][] = [
  [['int', 'long'], 'int64'],
  [['int', 'double'], 'double'],
  [['int', 'decimal'], 'decimal'],
  [['long', 'double'], 'decimal'],
  [['long', 'decimal'], 'decimal'],
  [['double', 'decimal'], 'decimal'],
];

const all: SeenType[] = [
  ...(Object.keys(bsonTypes) as BsonTypeName[]),
  'uuid',
  'binData of subtype 3',
  'binData of subtype 128',
];

describe('chooseColumnType', () => {
  it('gives each type its column, with null beside it or not', () => {
    for (const type of all) {
      assert.equal(chooseColumnType([type]), own[type] ?? 'json', type);
      assert.equal(chooseColumnType(['null', type]), own[type] ?? 'json', type);
      assert.equal(chooseColumnType([type, 'null']), own[type] ?? 'json', type);
    }
    assert.equal(chooseColumnType([]), 'json');
  });

  it('widens numbers, and any other mix becomes jsonb', () => {
    for (const a of all) {
      for (const b of all) {
        if (a === b || a === 'null' || b === 'null') continue;
        const expected = mixed.find(([types]) => types.includes(a) && types.includes(b))?.[1] ?? 'json';
        assert.equal(chooseColumnType([a, b]), expected, `${a} and ${b}`);
      }
    }
  });

  it('does not depend on the order in which three types are met', () => {
    for (const types of [
      ['int', 'long', 'double'],
      ['int', 'double', 'long'],
      ['long', 'double', 'int'],
    ] as const) {
      assert.equal(chooseColumnType(types), 'decimal');
    }
    assert.equal(chooseColumnType(['int', 'string', 'int']), 'json');
  });
});

describe('chooseIdType', () => {
  it('distinguishes values that other columns need not', () => {
    assert.equal(chooseIdType(new Set(['null', 'int'])), 'json');
    assert.equal(chooseIdType(new Set(['long', 'double'])), 'json');
    assert.equal(chooseIdType(new Set(['decimal', 'int'])), 'json');
    assert.equal(chooseIdType(new Set(['decimal'])), 'decimal');
    assert.equal(chooseIdType(new Set(['int', 'long'])), 'int64');
    assert.equal(chooseIdType(new Set(['int', 'double'])), 'double');
  });
});

describe('nameSeenType', () => {
  for (const [subtype, length, name] of [
    [0, 16, 'binData'],
    [4, 16, 'uuid'],
    [4, 15, 'binData of subtype 4'],
    [3, 16, 'binData of subtype 3'],
  ] as const) {
    it(`calls ${length} bytes of subtype ${subtype} ${name}`, () => {
      const value = Buffer.concat([int32(length), Buffer.of(subtype), Buffer.alloc(length)]);
      const document = rawDocument([[5, 'v', value]]);
      const found = findField(document, 'v');
      assert.ok(found !== null);
      assert.equal(nameSeenType(wrapBytes(document), found), name);
    });
  }
});
