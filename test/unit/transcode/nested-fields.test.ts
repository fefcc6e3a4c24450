import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Int32, serialize } from 'bson';
import fc from 'fast-check';
import type { ColumnType, Plan, PlanColumn } from '../../../src/plan/plan.ts';
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

const id = (n: number): RawElement => [0x10, '_id', int32(n)];
const text = (name: string, value: string): RawElement => [2, name, rawString(value)];
const embed = (name: string, ...elements: RawElement[]): RawElement => [3, name, rawDocument(elements)];

/** A plan with a column for each of these paths; its name is the path with dots. */
function plan(paths: Readonly<Record<string, ColumnType>>, more: Partial<Plan> = {}): Plan {
  const columns = Object.entries(paths).map(([column, type]): PlanColumn => {
    const [field = '', ...path] = column.split('.');
    return { field, column, type, ...(path.length > 0 ? { path } : {}) };
  });
  return { ...makePlan({}), columns, ...more };
}

function encode(by: Plan, ...documents: RawElement[][]) {
  const array = rawArray(documents.map((elements) => rawDocument(elements)));
  const { copy, extra, deadLetters } = createRowEncoder(by).encodeBatch(array);
  return {
    rows: decodeRows(copy, by),
    extra: extra.map(({ field, type, reason, count }) => [field, type, reason, count]),
    deadLetters: deadLetters.map(({ ordinal, reason, column, detail }) => [ordinal, reason, column, detail]),
  };
}

describe('a column of a nested value', () => {
  const cities = plan({
    _id: 'int32',
    'address.city': 'string',
    'address.geo.lat': 'int32',
    address: 'json',
    'other.a': 'int32',
  });
  const empty = {
    'address.city': null,
    'address.geo.lat': null,
    address: null,
    'other.a': null,
    _extra: null,
  };

  it('has its value, and the field goes where it would go anyway', () => {
    const { rows, extra } = encode(
      cities,
      [
        id(1),
        embed(
          'address',
          text('street', 's'),
          embed('geo', [0x10, 'lon', int32(1)], [0x10, 'lat', int32(2)]),
          text('city', 'c'),
        ),
      ],
      [embed('other', [0x10, 'b', int32(1)], [0x10, 'a', int32(3)]), id(2)],
    );
    assert.deepEqual(rows, [
      {
        ...empty,
        _id: 1,
        'address.city': 'c',
        'address.geo.lat': 2,
        address: '{"street":"s","geo":{"lon":1,"lat":2},"city":"c"}',
      },
      { ...empty, _id: 2, 'other.a': 3, _extra: '{"other":{"b":1,"a":3}}' },
    ]);
    assert.deepEqual(extra, [['other', 'object', 'no_column', 1]]);
  });

  it('is NULL where there is no document, or another value, on the way', () => {
    const { rows } = encode(
      cities,
      [id(1)],
      [id(2), text('address', 'none')],
      [id(3), embed('address', text('geo', 'none'), [10, 'city', Buffer.of()])],
      [id(4), [4, 'address', rawDocument([text('city', 'an array is no document')])]],
    );
    assert.deepEqual(
      rows.map((row) => [row['address.city'], row['address.geo.lat']]),
      Array.from({ length: 4 }, () => [null, null]),
    );
  });

  it('sends a value that does not fit to the extra column under its path', () => {
    const { rows, extra } = encode(cities, [
      id(1),
      embed('address', [0x10, 'city', int32(5)], embed('geo', text('lat', 'x"y'))),
    ]);
    assert.equal(rows[0]?._extra, '{"address.city":5,"address.geo.lat":"x\\"y"}');
    assert.deepEqual(extra, [
      ['address.city', 'int', 'does_not_fit', 1],
      ['address.geo.lat', 'string', 'does_not_fit', 1],
    ]);
  });

  it('does not meet a field in the extra column that has its path for a name', () => {
    const misfit = embed('address', [0x10, 'city', int32(5)]);
    const { rows, deadLetters } = encode(
      cities,
      [id(1), misfit, text('address.city', 'x')],
      [id(2), text('address.city', 'y')],
    );
    assert.deepEqual(
      deadLetters.map(([ordinal, reason]) => [ordinal, reason]),
      [[0, 'duplicate_extra']],
    );
    assert.equal(rows[0]?._extra, '{"address.city":"y"}');
  });

  it('has the first of two values', () => {
    const { rows } = encode(
      plan({ _id: 'int32', 'a.b': 'int32', 'a.c': 'int32', a: 'json' }),
      [id(1), embed('a', [0x10, 'b', int32(1)], [0x10, 'b', int32(2)])],
      [id(2), embed('a', [0x10, 'b', int32(1)]), embed('a', [0x10, 'b', int32(2)], [0x10, 'c', int32(3)])],
    );
    assert.deepEqual(
      rows.map((row) => [row['a.b'], row['a.c'], row._extra]),
      [
        [1, null, null],
        [1, null, '{"a":{"b":2,"c":3}}'],
      ],
    );
  });

  it('makes a dead letter of a document that is corrupt on the way', () => {
    const corrupt = rawDocument([[8, 'x', Buffer.of(7)]]);
    const { deadLetters } = encode(plan({ _id: 'int32', 'a.b': 'int32' }, { dropped: ['a'] }), [
      id(1),
      [3, 'a', corrupt],
    ]);
    assert.deepEqual(
      deadLetters.map(([, reason]) => reason),
      ['corrupt_bson'],
    );
  });

  it('may be of the _id, which is another column', () => {
    const { rows, deadLetters } = encode(
      plan({ _id: 'json', '_id.a': 'int32' }),
      [embed('_id', [0x10, 'a', int32(1)])],
      [text('_id', 'x')],
    );
    assert.deepEqual(deadLetters, []);
    assert.deepEqual(
      rows.map((row) => [row._id, row['_id.a']]),
      [
        ['{"a":{"$numberInt":"1"}}', 1],
        ['"x"', null],
      ],
    );
  });

  it('has what a walk over objects finds, whatever the order of the fields', () => {
    const paths = ['a.a', 'a.b', 'a.a.c', 'b.a.b.c', 'b', 'c.b'];
    const by = plan({ _id: 'int32', ...Object.fromEntries(paths.map((path) => [path, 'json' as const])) });
    type Tree = number | { [name: string]: Tree };
    const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
      tree: fc.oneof(
        { maxDepth: 4 },
        fc.integer(),
        fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), tie('tree')),
      ),
    }));
    const document = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), tree);
    const encoder = createRowEncoder(by);
    fc.assert(
      fc.property(fc.array(document, { maxLength: 4 }), (documents) => {
        const array = rawArray(
          documents.map((fields) => Buffer.from(serialize({ _id: new Int32(1), ...fields }))),
        );
        const rows = decodeRows(encoder.encodeBatch(array).copy, by);
        documents.forEach((fields, i) => {
          for (const path of paths) {
            const found = path
              .split('.')
              .reduce<Tree | undefined>(
                (at, name) => (typeof at === 'object' ? at[name] : undefined),
                fields,
              );
            assert.equal(rows[i]?.[path] ?? null, found === undefined ? null : JSON.stringify(found), path);
          }
        });
      }),
      { numRuns: 500 },
    );
  });
});

describe('a dropped field', () => {
  it('is not written, and is counted', () => {
    const by = plan({ _id: 'int32', a: 'int32' }, { dropped: ['secret', 'a.b'] });
    const { rows, extra } = encode(
      by,
      [id(1), text('secret', '\0'), [0x10, 'a', int32(1)]],
      [id(2), [8, 'secret', Buffer.of(1)], [8, 'secret', Buffer.of(1)], text('a.b', 'x'), text('c', 'y')],
    );
    assert.deepEqual(rows, [
      { _id: 1, a: 1, _extra: null },
      { _id: 2, a: null, _extra: '{"c":"y"}' },
    ]);
    assert.deepEqual(extra, [
      ['secret', 'string', 'dropped', 1],
      ['secret', 'bool', 'dropped', 2],
      ['a.b', 'string', 'dropped', 1],
      ['c', 'string', 'no_column', 1],
    ]);
  });

  it('may have columns of what is inside of it', () => {
    const by = plan({ _id: 'int32', 'a.b': 'int32' }, { dropped: ['a'] });
    const { rows, extra } = encode(by, [id(1), embed('a', [0x10, 'b', int32(2)], text('c', 'x'))]);
    assert.deepEqual(rows, [{ _id: 1, 'a.b': 2, _extra: null }]);
    assert.deepEqual(extra, [['a', 'object', 'dropped', 1]]);
  });

  it('is left out of a document that is otherwise kept whole', () => {
    const by = plan({ _id: 'int32' }, { keepsWhole: true, dropped: ['a', 'c'] });
    const { rows, extra } = encode(
      by,
      [text('a', 'x'), id(1), embed('b', text('a', 'kept')), text('c', 'x')],
      [id(2)],
    );
    assert.deepEqual(
      rows.map(({ _extra }) => _extra),
      ['{"_id":1,"b":{"a":"kept"}}', '{"_id":2}'],
    );
    assert.deepEqual(
      extra.map(([field]) => field),
      ['a', 'c'],
    );
  });
});

describe('a required column', () => {
  it('makes a dead letter of a document that has no value for it', () => {
    const columns: PlanColumn[] = [
      { field: '_id', column: '_id', type: 'int32' },
      { field: 'a', column: 'x', type: 'int32', isRequired: true },
      { field: 'b', path: ['c'], column: 'b.c', type: 'json', isRequired: true },
    ];
    const good: RawElement[] = [[0x10, 'a', int32(1)], embed('b', [8, 'c', Buffer.of(1)])];
    const [a = id(0), b = id(0)] = good;
    const { rows, extra, deadLetters } = encode(
      { ...makePlan({}), columns },
      [id(1), ...good],
      [id(2), b],
      [id(3), [10, 'a', Buffer.of()], b],
      [id(4), text('a', 'x'), b],
      [id(5), a],
      [id(6), a, embed('b', [10, 'c', Buffer.of()])],
    );
    assert.deepEqual(
      rows.map(({ _id }) => _id),
      [1],
    );
    assert.deepEqual(extra, [['b', 'object', 'no_column', 1]]);
    assert.deepEqual(deadLetters, [
      [1, 'required', 'x', 'the required value of "a" is missing'],
      [2, 'required', 'x', 'the required value of "a" is null'],
      [3, 'required', 'x', 'the required value of "a" does not fit its column'],
      [4, 'required', 'b.c', 'the required value of "b.c" is missing'],
      [5, 'required', 'b.c', 'the required value of "b.c" is null'],
    ]);
  });
});

describe('a plan', () => {
  it('has one column for each value', () => {
    for (const path of [undefined, ['b']]) {
      const column = { field: 'a', column: 'x', type: 'int32' as const, ...(path ? { path } : {}) };
      const columns = [column, { ...column, column: 'y' }];
      assert.throws(() => createRowEncoder({ ...makePlan({}), columns }), /two columns for \["a"/);
    }
  });
});
