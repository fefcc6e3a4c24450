import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Plan } from '../../../src/transcode/plan.ts';
import { createRowEncoder } from '../../../src/transcode/row.ts';
import { decodeRows } from '../../support/copy-decoder.ts';
import {
  int32,
  makePlan,
  rawArray,
  rawDocument,
  type RawElement,
  rawString,
} from '../../support/raw-bson.ts';

const itemPlan = { ...makePlan({ _id: 'int32', place: 'int32', name: 'string' }), table: 'items' };
const plan: Plan = { ...makePlan({ _id: 'int32' }), children: [{ field: 'items', plan: itemPlan }] };

const id = (n: number): RawElement => [0x10, '_id', int32(n)];
const text = (name: string, value: string): RawElement => [2, name, rawString(value)];
const items = (...elements: RawElement[][]): RawElement => {
  const array = elements.map((element, i): RawElement => [3, String(i), rawDocument(element)]);
  return [4, 'items', rawDocument(array)];
};

function encode(...documents: RawElement[][]) {
  const array = rawArray(documents.map((elements) => rawDocument(elements)));
  const { copy, children, deadLetters, extra } = createRowEncoder(plan).encodeBatch(array);
  const [child] = children;
  assert.ok(child !== undefined);
  const elements = decodeRows(child.copy, itemPlan);
  assert.equal(elements.length, child.rowCount);
  return {
    rows: decodeRows(copy, plan),
    elements,
    parents: child.parents,
    letters: deadLetters.map(({ ordinal, reason, column }) => [ordinal, reason, column]),
    extra: extra.map(({ field, reason, count }) => [field, reason, count]),
  };
}

describe('the rows of a child table', () => {
  it('are the elements of the array, with the _id of their document and their place', () => {
    const { rows, elements, parents, extra } = encode(
      [id(1), items([text('name', 'a')], [text('other', 'b')])],
      [items([text('name', 'c')]), id(2)],
    );
    assert.deepEqual(rows, [
      { _id: 1, _extra: null },
      { _id: 2, _extra: null },
    ]);
    assert.deepEqual(elements, [
      { _id: 1, place: 0, name: 'a', _extra: null },
      { _id: 1, place: 1, name: null, _extra: '{"other":"b"}' },
      { _id: 2, place: 0, name: 'c', _extra: null },
    ]);
    assert.deepEqual(parents, [0, 0, 1]);
    assert.deepEqual(extra, [['items[].other', 'no_column', 1]]);
  });

  it('keep an element that is no document, and a value that is no array is stored with its document', () => {
    const { rows, elements } = encode(
      [id(1), [4, 'items', rawDocument([text('0', 'x')])]],
      [id(2), text('items', 'none')],
      [id(3), [10, 'items', Buffer.of()]],
      [id(4)],
    );
    assert.deepEqual(
      rows.map(({ _extra }) => _extra),
      [null, '{"items":"none"}', null, null],
    );
    assert.deepEqual(elements, [{ _id: 1, place: 0, name: null, _extra: '"x"' }]);
  });

  it('of a dead letter are removed, with its counts', () => {
    const { rows, elements, parents, letters, extra } = encode(
      [id(1), items([text('name', 'kept'), text('new', 'x')])],
      [id(2), text('new', 'x'), items([text('name', 'lost'), text('new', 'x')], [text('name', '\0')])],
      [id(3), text('new', 'x'), items([text('name', 'kept too')])],
    );
    assert.deepEqual(
      rows.map(({ _id }) => _id),
      [1, 3],
    );
    assert.deepEqual(
      elements.map(({ name }) => name),
      ['kept', 'kept too'],
    );
    assert.deepEqual(parents, [0, 2]);
    assert.deepEqual(letters, [[1, 'nul', 'items']]);
    assert.deepEqual(extra, [
      ['new', 'no_column', 1],
      ['items[].new', 'no_column', 1],
    ]);
  });
});
