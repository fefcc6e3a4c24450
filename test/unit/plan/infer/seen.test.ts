import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { serialize, type Document } from 'bson';
import { gatherStats } from '../../../../src/plan/infer/field-stats.ts';
import { describeSeen, formatShare } from '../../../../src/plan/infer/seen.ts';

function describeField(...documents: Document[]): string {
  const { fields, documents: count } = gatherStats(documents.map((document) => serialize(document)));
  const field = fields.get('a');
  assert.ok(field);
  return describeSeen(field, count);
}

describe('describeSeen', () => {
  it('has the shares of all documents, the largest first', () => {
    assert.equal(
      describeField({ a: 'x' }, { a: 'äö' }, { a: 'y' }, { a: 1 }, { a: null }, {}, {}, {}),
      'string 37.5%, missing 37.5%, int 12.5%, null 12.5%; longest 4 bytes',
    );
  });

  it('has no length for other types than text', () => {
    assert.equal(describeField({ a: 1 }), 'int 100%');
  });
});

describe('formatShare', () => {
  for (const [part, whole, text] of [
    [1, 1, '100%'],
    [999_999, 1_000_000, '>99.9%'],
    [1, 1_000_000, '<0.1%'],
    [1, 3, '33.3%'],
    [1, 2, '50%'],
  ] as const) {
    it(`writes ${part} of ${whole} as ${text}`, () => {
      assert.equal(formatShare(part, whole), text);
    });
  }
});
