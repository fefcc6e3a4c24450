import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Decimal128, Double, Long, MaxKey, MinKey, serialize, type Document } from 'bson';
import { filtersAfter } from '../../../src/source/id-brackets.ts';

function after(_id: unknown): Document[] {
  return filtersAfter(serialize({ _id }));
}

function laterTypes(filters: Document[]): string[] {
  return (filters.at(-1) as { _id: { $type: string[] } })._id.$type;
}

describe('filtersAfter', () => {
  it('begins without a condition', () => {
    assert.deepEqual(filtersAfter(null), [{}]);
  });

  it('goes on within the bracket, then with all later types', () => {
    const filters = after('m');
    assert.deepEqual(filters[0], { _id: { $gt: 'm' } });
    assert.equal(filters.length, 2);
    assert.equal(laterTypes(filters)[0], 'object');
    assert.equal(laterTypes(filters).at(-1), 'maxKey');
  });

  it('keeps all digits of a long', () => {
    const [first] = after(Long.MAX_VALUE) as [{ _id: { $gt: Long } }];
    assert.equal(first._id.$gt.toString(), '9223372036854775807');
  });

  for (const nan of [new Double(NaN), Decimal128.fromString('NaN')]) {
    it(`goes on after NaN (${nan._bsontype}) with all other numbers`, () => {
      assert.deepEqual(after(nan)[0], { _id: { $gte: new Double(-Infinity) } });
    });
  }

  it('takes the text "NaN" as text', () => {
    assert.deepEqual(after('NaN')[0], { _id: { $gt: 'NaN' } });
  });

  it('leaves a bracket of one value at once', () => {
    assert.equal(after(null).length, 1);
    assert.equal(laterTypes(after(null))[0], 'int');
    assert.equal(after(new MinKey()).length, 1);
  });

  it('ends after MaxKey', () => {
    assert.deepEqual(after(new MaxKey()), []);
  });

  it('refuses to go on after an _id that would not come back exactly', () => {
    const farDate = serialize({ _id: new Date(0) });
    farDate.fill(0x7f, 9, 16);
    assert.throws(() => filtersAfter(farDate), /cannot read on after the _id/);
  });
});
