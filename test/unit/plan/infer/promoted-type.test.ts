import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  choosePromotedType,
  definePromoted,
  mayFit,
  suggestType,
} from '../../../../src/plan/infer/promoted-type.ts';
import type { SeenType } from '../../../../src/plan/infer/column-type.ts';

const seen = (...types: SeenType[]): Map<SeenType, number> =>
  new Map(types.map((type, index) => [type, types.length - index]));

describe('the type of a promoted field', () => {
  const table: readonly (readonly [types: readonly SeenType[], chosen: string | null])[] = [
    [['string'], 'string'],
    [['string', 'null'], 'string'],
    [['int', 'long'], 'int64'],
    [['int', 'double'], 'double'],
    [['long', 'double'], 'decimal'],
    [['objectId'], 'objectId'],
    [['uuid'], 'uuid'],
    [['object'], 'json'],
    [['object', 'array', 'null'], 'json'],
    [['binData of subtype 5'], 'json'],
    [['int', 'string'], null],
    [['object', 'string'], null],
    [['null'], null],
    [[], null],
  ];
  for (const [types, chosen] of table) {
    it(`of ${types.join(', ')} is ${chosen ?? 'undecided'}`, () => {
      assert.equal(choosePromotedType(seen(...types)), chosen);
    });
  }

  it('of ObjectIds is as the run has them', () => {
    assert.equal(choosePromotedType(seen('objectId'), 'bytea'), 'objectIdBytes');
  });

  it('that is suggested fits most values', () => {
    assert.equal(suggestType(seen('int', 'string')), 'int32');
    assert.equal(suggestType(seen('null', 'string')), 'string');
    assert.equal(suggestType(seen('null')), 'json');
  });

  it('fits some of the values, or none', () => {
    assert.equal(mayFit('int64', seen('int', 'string')), true);
    assert.equal(mayFit('int64', seen('string', 'null')), false);
    assert.equal(mayFit('json', seen('string')), true);
    assert.equal(mayFit('binary', seen('uuid')), true);
  });

  it('of binary values is of the one subtype that they have', () => {
    const define = (...types: SeenType[]): number | undefined =>
      definePromoted('f', 'f', 'binary', seen(...types)).subtype;
    assert.equal(define('binData'), undefined);
    assert.equal(define('binData of subtype 5', 'string'), 5);
    assert.equal(define('uuid'), 4);
    assert.equal(define('binData', 'binData of subtype 5'), undefined);
  });
});
