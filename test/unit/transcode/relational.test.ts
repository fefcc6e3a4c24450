import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Int32, serialize } from 'bson';
import { checkPlanFile } from '../../../src/plan/file/plan-file.ts';
import { resolvePlan } from '../../../src/plan/file/resolve-plan.ts';
import type { Plan } from '../../../src/transcode/plan.ts';
import { createRowEncoder } from '../../../src/transcode/row.ts';
import { decodeRows } from '../../support/copy-decoder.ts';
import { rawArray } from '../../support/raw-bson.ts';
import { type Json, reassemble, withoutNulls } from '../../support/reassemble.ts';
import fc from '../../support/fast-check.ts';

type Fields = Record<string, unknown>;

function planOf(file: object): Plan {
  const columns = [{ column: '_id', path: '_id', type: 'int32' }, ...((file as Fields).columns as object[])];
  const checked = checkPlanFile({ ...file, columns }, 'plan.json');
  return resolvePlan(checked, { collection: 'things', schema: 'public', table: 'things' });
}

function encode(plan: Plan, ...documents: Fields[]) {
  const array = rawArray(
    documents.map((fields, index) => serialize({ _id: new Int32(index + 1), ...fields })),
  );
  return createRowEncoder(plan).encodeBatch(array);
}

const city = { column: 'address_city', path: 'address.city', type: 'string' };

describe('flattened documents', () => {
  const plan = planOf({
    columns: [
      city,
      { column: 'lat', path: 'address.geo.lat', type: 'int32' },
      { column: 'name', path: 'name', type: 'string' },
    ],
    flatten: ['address', 'address.geo'],
  });
  const rowsOf = (...documents: Fields[]) =>
    decodeRows(encode(plan, ...documents).copy, plan).map((row) =>
      Object.fromEntries(Object.entries(row).slice(1)),
    );

  it('have their values in columns, and only the rest in the extra column', () => {
    assert.deepEqual(
      rowsOf(
        { address: { city: 'Rome', geo: { lat: 41 } }, name: 'a' },
        { address: { zip: 'W1', city: 'London', geo: { lon: 0, lat: 51 } }, other: 1 },
      ),
      [
        { address_city: 'Rome', lat: 41, name: 'a', _extra: null },
        {
          address_city: 'London',
          lat: 51,
          name: null,
          _extra: '{"other":1,"address":{"zip":"W1","geo":{"lon":0}}}',
        },
      ],
    );
  });

  it('keep values that do not fit at their place, and other values than documents whole', () => {
    assert.deepEqual(
      rowsOf({ address: { city: 5, geo: 'north' } }, { address: 'Rome' }, { address: [{ city: 'x' }] }).map(
        ({ _extra }) => _extra,
      ),
      ['{"address":{"geo":"north","city":5}}', '{"address":"Rome"}', '{"address":[{"city":"x"}]}'],
    );
  });

  it('are distinguished from missing ones if they are empty', () => {
    assert.deepEqual(
      rowsOf(
        { address: {} },
        { address: { geo: {} } },
        { address: { city: null } },
        { address: { city: null, geo: { lat: 1 } } },
        { address: null },
        {},
      ).map(({ _extra }) => _extra),
      ['{"address":{}}', '{"address":{"geo":{}}}', '{"address":{"city":null}}', null, null, null],
    );
  });

  it('are counted by the paths of the rest', () => {
    const { extra } = encode(
      plan,
      { address: { zip: 1, city: 2, geo: { lon: 0 } } },
      { address: { geo: {} } },
    );
    assert.deepEqual(extra.map(({ field, reason, count }) => [field, reason, count]).sort(), [
      ['address.city', 'does_not_fit', 1],
      ['address.geo', 'empty', 1],
      ['address.geo.lon', 'no_column', 1],
      ['address.zip', 'no_column', 1],
    ]);
  });

  it('allow a column for a scalar in the same field', () => {
    const mixed = planOf({
      columns: [{ column: 'address', path: 'address', type: 'string' }, city],
      flatten: ['address'],
    });
    const rows = decodeRows(encode(mixed, { address: 'Rome' }, { address: { city: 'Rome' } }).copy, mixed);
    assert.deepEqual(rows, [
      { _id: 1, address: 'Rome', address_city: null, _extra: null },
      { _id: 2, address: null, address_city: 'Rome', _extra: null },
    ]);
  });

  it('become dead letters if the table has no column for the rest', () => {
    const { deadLetters } = encode(
      { ...plan, extraColumn: null },
      { address: { city: 'Rome', geo: { lon: 1 } } },
      { address: {} },
      { address: { city: 'Rome' } },
    );
    assert.deepEqual(
      deadLetters.map(({ ordinal, reason, detail }) => [ordinal, reason, detail.replace(/ at byte.*/, '')]),
      [
        [0, 'no_column', 'there is no column for the field "address.geo.lon"'],
        [1, 'does_not_fit', 'no column shows that the field "address" is empty'],
      ],
    );
  });

  it('become a dead letter when the rest would be twice in the extra column', () => {
    const twice = Buffer.from(serialize({ _id: new Int32(1), address: { zip: 1 }, addresS: { zip: 2 } }));
    twice.write('address', twice.indexOf('addresS'));
    const { deadLetters } = createRowEncoder(plan).encodeBatch(rawArray([twice]));
    assert.deepEqual(
      deadLetters.map(({ reason }) => reason),
      ['duplicate_extra'],
    );
  });
});

describe('child tables inside of others', () => {
  const plan = planOf({
    columns: [],
    children: [
      {
        path: 'lines',
        table: 'lines',
        keepEmpty: true,
        columns: [{ column: 'sku', path: 'sku', type: 'string' }],
        children: [
          {
            path: 'taxes',
            table: 'taxes',
            columns: [{ column: 'rate', path: 'rate', type: 'int32' }],
          },
          {
            path: ['tags'],
            table: 'tags',
            keepEmpty: true,
            columns: [{ column: 'tag', path: [], type: 'string' }],
          },
        ],
      },
    ],
  });
  const tablesOf = (...documents: Fields[]) => {
    const { copy, children, deadLetters, extra } = encode(plan, ...documents);
    const [lines] = plan.children ?? [];
    const [taxes, tags] = lines?.plan.children ?? [];
    assert.ok(lines && taxes && tags);
    const rows = [lines, taxes, tags].map((child, index) =>
      decodeRows(children[index]?.copy ?? copy, child.plan),
    );
    const parents = children.map((child) => child.parents);
    return { main: decodeRows(copy, plan), rows, parents, deadLetters, extra };
  };

  it('have the key of the row around them, and their own place', () => {
    const { rows, parents } = tablesOf(
      {
        lines: [
          { sku: 'a', taxes: [{ rate: 7 }, { rate: 19 }], tags: ['x'] },
          { sku: 'b', taxes: [{ rate: 0 }] },
        ],
      },
      { lines: [{ taxes: [{ rate: 1, note: 'n' }] }] },
    );
    assert.deepEqual(rows, [
      [
        { parent_id: 1, ordinal: 0, sku: 'a', _extra: null },
        { parent_id: 1, ordinal: 1, sku: 'b', _extra: null },
        { parent_id: 2, ordinal: 0, sku: null, _extra: null },
      ],
      [
        { parent_id: 1, ordinal: 0, taxes_ordinal: 0, rate: 7, _extra: null },
        { parent_id: 1, ordinal: 0, taxes_ordinal: 1, rate: 19, _extra: null },
        { parent_id: 1, ordinal: 1, taxes_ordinal: 0, rate: 0, _extra: null },
        { parent_id: 2, ordinal: 0, taxes_ordinal: 0, rate: 1, _extra: '{"note":"n"}' },
      ],
      [{ parent_id: 1, ordinal: 0, tags_ordinal: 0, tag: 'x', _extra: null }],
    ]);
    assert.deepEqual(parents, [[0, 0, 1], [0, 0, 0, 1], [0]]);
  });

  it('leave other values than arrays, and with keepEmpty empty arrays, to the parent row', () => {
    const { main, rows, extra } = tablesOf(
      { lines: [] },
      {
        lines: [
          { taxes: [], tags: [] },
          { taxes: 'none', tags: [1, null, 'x', { a: 1 }, ['y']] },
        ],
      },
    );
    assert.deepEqual(
      main.map(({ _extra }) => _extra),
      ['{"lines":[]}', null],
    );
    assert.deepEqual(
      rows[0]?.map(({ _extra }) => _extra),
      ['{"tags":[]}', '{"taxes":"none"}'],
    );
    assert.deepEqual(
      rows[2]?.map(({ tag, _extra }) => [tag, _extra]),
      [
        [null, '1'],
        [null, 'null'],
        ['x', null],
        [null, '{"a":1}'],
        [null, '["y"]'],
      ],
    );
    assert.deepEqual(
      extra.map(({ field, type, reason }) => [field, type, reason]),
      [
        ['lines', 'array', 'empty'],
        ['lines[].tags', 'array', 'empty'],
        ['lines[].taxes', 'string', 'does_not_fit'],
        ['lines[].tags[]', 'int', 'does_not_fit'],
        ['lines[].tags[]', 'array', 'does_not_fit'],
        ['lines[].tags[].a', 'int', 'no_column'],
      ],
    );
  });

  it('remove all rows of a dead letter', () => {
    const { rows, deadLetters } = tablesOf(
      { lines: [{ taxes: [{ rate: 1 }], tags: ['a'] }] },
      { lines: [{ taxes: [{ rate: 2 }], tags: ['b', 'N\0UL'] }] },
      { lines: [{ taxes: [{ rate: 3 }] }] },
    );
    assert.deepEqual(
      deadLetters.map(({ ordinal, column }) => [ordinal, column]),
      [[1, 'tags']],
    );
    assert.deepEqual(
      rows.map((list) => list.map(({ parent_id }) => parent_id)),
      [[1, 3], [1, 3], [1]],
    );
  });
});

describe('arrays of Postgres', () => {
  it('accept arrays all of whose elements fit, or are null', () => {
    const plan = planOf({ columns: [{ column: 'tags', path: 'tags', type: 'string', array: true }] });
    const rows = decodeRows(
      encode(plan, { tags: ['a', null, 'b'] }, { tags: [] }, { tags: ['a', 1] }, { tags: 'a' }, {}).copy,
      plan,
    );
    assert.deepEqual(
      rows.map(({ tags, _extra }) => [tags, _extra]),
      [
        [['a', null, 'b'], null],
        [[], null],
        [null, '{"tags":["a",1]}'],
        [null, '{"tags":"a"}'],
        [null, null],
      ],
    );
  });
});

describe('the rows of any nested plan', () => {
  const names = ['a', 'b', 'c'] as const;
  const { json } = fc.letrec<{ json: Json }>((tie) => ({
    json: fc.oneof(
      { maxDepth: 5, withCrossShrink: true },
      fc.constantFrom<Json>(1, 2, 'x', 'y', true, null),
      fc.dictionary(fc.constantFrom(...names, 'd'), tie('json'), { maxKeys: 4, noNullPrototype: true }),
      fc.array(tie('json'), { maxLength: 3 }),
    ),
  }));

  interface Level {
    columns: object[];
    flatten: string[][];
    children: object[];
  }
  let tables = 0;
  /** How each name is stored: a column, a flattened document, a child table, or not at all. */
  const level = (depth: number): fc.Arbitrary<(around: string[]) => Level> => {
    const shapes = ['none', 'int32', 'string', 'json', 'int32[]'];
    const inner = ['flat', 'child', 'flat and int32'];
    return fc
      .tuple(...names.map(() => fc.constantFrom(...shapes, ...(depth > 0 ? [...inner, ...inner] : []))))
      .chain((chosen) =>
        fc.tuple(
          ...chosen.map((shape, index) =>
            shape.startsWith('flat') || shape === 'child'
              ? fc.tuple(
                  fc.constant(shape),
                  level(depth - 1),
                  fc.constantFrom('', 'int32', 'string', 'json'),
                  fc.constant(names[index] ?? ''),
                )
              : fc.tuple(
                  fc.constant(shape),
                  fc.constant(null),
                  fc.constant(''),
                  fc.constant(names[index] ?? ''),
                ),
          ),
        ),
      )
      .map((entries) => (around: string[]): Level => {
        const made: Level = { columns: [], flatten: [], children: [] };
        for (const [shape, inside, element, name] of entries) {
          const path = [...around, name];
          const column = path.join('_');
          if (shape === 'child' && inside !== null) {
            const { columns, flatten, children } = inside([]);
            const value = element === '' ? [] : [{ column: 'value', path: [], type: element }];
            const table = `child_${tables++}`;
            made.children.push({
              path,
              table,
              keepEmpty: true,
              columns: [...value, ...columns],
              flatten,
              children,
            });
            continue;
          }
          if (shape.startsWith('flat') && inside !== null) {
            const { columns, flatten, children } = inside(path);
            made.flatten.push(path, ...flatten);
            made.columns.push(...columns);
            made.children.push(...children);
          }
          const type = shape.replace('flat and ', '').replace('[]', '');
          if (['none', 'flat'].includes(type)) continue;
          made.columns.push({ column, path, type, ...(shape.endsWith('[]') ? { array: true } : {}) });
        }
        return made;
      });
  };

  it('can be reassembled to the documents', () => {
    let rowsInChildren = 0;
    fc.assert(
      fc.property(
        level(3),
        fc.array(fc.dictionary(fc.constantFrom(...names, 'd'), json, { noNullPrototype: true }), {
          maxLength: 5,
        }),
        (make, documents) => {
          tables = 0;
          const plan = planOf(make([]));
          const encoded = encode(plan, ...documents);
          assert.deepEqual(encoded.deadLetters, []);
          rowsInChildren += encoded.children.reduce((sum, { rowCount }) => sum + rowCount, 0);
          assert.deepEqual(
            reassemble(plan, encoded),
            documents.map((fields, index) => withoutNulls({ _id: index + 1, ...fields })),
          );
        },
      ),
      { numRuns: 300 },
    );
    assert.ok(rowsInChildren > 100, `${rowsInChildren} rows of child tables`);
  });
});
