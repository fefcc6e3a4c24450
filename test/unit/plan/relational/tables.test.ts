import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Int32, ObjectId, serialize } from 'bson';
import { checkPlanFile } from '../../../../src/plan/file/plan-file.ts';
import { resolvePlan } from '../../../../src/plan/file/resolve-plan.ts';
import { gatherStats } from '../../../../src/plan/infer/field-stats.ts';
import { inferTables, type RelationalOptions } from '../../../../src/plan/relational/tables.ts';
import { createRowEncoder } from '../../../../src/transcode/row.ts';
import { rawArray } from '../../../support/raw-bson.ts';
import { type Json, reassemble, withoutNulls } from '../../../support/reassemble.ts';
import fc from '../../../support/fast-check.ts';

type Fields = Record<string, unknown>;

const usual: RelationalOptions = {
  objectId: 'text',
  requiredFields: [],
  table: 'things',
  otherTables: [],
  flatten: 3,
  scalarArrays: 'table',
};

function infer(documents: readonly Fields[], changed: Partial<RelationalOptions> = {}) {
  const options = { ...usual, ...changed };
  const sample = documents.map((fields, index) => serialize({ _id: new Int32(index + 1), ...fields }));
  const stats = gatherStats(sample, { names: options.flatten + 1, arrays: options.scalarArrays !== null });
  const { part, notices } = inferTables(stats, options);
  // An inferred plan is valid as a plan file.
  checkPlanFile(part, 'plan.json');
  return { part, notices, sample };
}

const describeColumns = (
  columns: readonly { column: string; path: unknown; type: string; array?: boolean | undefined }[],
) => columns.map(({ column, path, type, array }) => [column, path, array === true ? `${type}[]` : type]);

describe('a relational plan', () => {
  it('has columns of embedded documents, and tables of arrays at any depth', () => {
    const { part } = infer([
      {
        address: { city: 'Rome', geo: { lat: 1, lon: 2 } },
        lines: [{ sku: 'a', taxes: [{ rate: 7 }], from: { city: 'x' } }],
        tags: ['x', 'y'],
      },
    ]);
    const { columns, flatten, children } = part;
    assert.deepEqual(describeColumns(columns), [
      ['_id', '_id', 'int32'],
      ['address_city', 'address.city', 'string'],
      ['address_geo_lat', 'address.geo.lat', 'int32'],
      ['address_geo_lon', 'address.geo.lon', 'int32'],
    ]);
    assert.deepEqual(flatten, [['address'], ['address', 'geo']]);
    const [lines, tags] = children;
    assert.deepEqual(
      [lines?.table, lines?.parentColumn, lines?.ordinalColumn, lines?.keepEmpty, lines?.flatten],
      ['things_lines', '_id', 'lines_ordinal', true, [['from']]],
    );
    assert.deepEqual(describeColumns(lines?.columns ?? []), [
      ['sku', 'sku', 'string'],
      ['from_city', 'from.city', 'string'],
    ]);
    const [taxes] = lines?.children ?? [];
    assert.deepEqual(
      [taxes?.table, taxes?.path, taxes?.ordinalColumn],
      ['things_lines_taxes', 'taxes', 'taxes_ordinal'],
    );
    assert.deepEqual(
      [tags?.table, describeColumns(tags?.columns ?? [])],
      ['things_tags', [['value', [], 'string']]],
    );
    const plan = resolvePlan(checkPlanFile(part, 'plan.json'), {
      ...{ collection: 'things', schema: 'public', table: 'things' },
    });
    assert.deepEqual(
      plan.children?.[0]?.plan.children?.[0]?.plan.columns.map(({ column }) => column),
      ['_id', 'lines_ordinal', 'taxes_ordinal', 'rate'],
    );
  });

  it('goes as deep as the setting', () => {
    const documents = [{ a: { b: { c: { d: 1 } } } }];
    const columnsOf = (flatten: number) =>
      describeColumns(infer(documents, { flatten }).part.columns).slice(1);
    assert.deepEqual(columnsOf(0), [['a', 'a', 'json']]);
    assert.deepEqual(columnsOf(1), [['a_b', 'a.b', 'json']]);
    assert.deepEqual(columnsOf(3), [['a_b_c_d', 'a.b.c.d', 'int32']]);
  });

  it('has arrays of Postgres in place of tables of scalars, or no tables at all', () => {
    const documents = [{ tags: ['x'], mixed: ['x', 1], lines: [{ a: 1 }] }];
    const arrays = infer(documents, { scalarArrays: 'array' }).part;
    assert.deepEqual(describeColumns(arrays.columns).slice(1), [
      ['tags', 'tags', 'string[]'],
      ['mixed', 'mixed', 'json'],
    ]);
    assert.deepEqual(
      arrays.children.map(({ table }) => table),
      ['things_lines'],
    );
    const none = infer(documents, { scalarArrays: null }).part;
    assert.deepEqual(none.children, []);
    assert.deepEqual(
      none.columns.map(({ type }) => type),
      ['int32', 'json', 'json', 'json'],
    );
  });

  it('gives unique names that Postgres allows', () => {
    const long = 'x'.repeat(40);
    const { part, notices } = infer(
      [
        {
          address: { city: 'Rome' },
          address_city: 'London',
          lines: [{ _id: new ObjectId(), lines_ordinal: 5, value: 1, [long]: [{ [long]: [{ a: 1 }] }] }],
          _extra: 1,
        },
      ],
      { otherTables: ['things_lines'] },
    );
    const [, city, own, extra] = part.columns;
    assert.match(city?.column ?? '', /^address_city_[0-9a-f]{8}$/);
    assert.deepEqual([own?.column, extra?.column], ['address_city', '_extra']);
    assert.match(part.extraColumn, /^_extra_[0-9a-f]{8}$/);
    const [lines] = part.children;
    assert.ok(lines !== undefined);
    assert.match(lines.table, /^things_lines_[0-9a-f]{8}$/);
    assert.equal(lines.columns[0]?.column, 'lines_id');
    assert.match(lines.columns[1]?.column ?? '', /^lines_ordinal_[0-9a-f]{8}$/);
    const inner = lines.children?.[0];
    assert.ok([inner, inner?.children?.[0]].every((child) => Buffer.byteLength(child?.table ?? '') <= 63));
    assert.ok(notices.some((notice) => notice.startsWith('the field "address.city" goes to the column')));
  });

  it('follows most values of a field, and has columns for scalars beside documents', () => {
    const { part } = infer([
      { place: { city: 'Rome' }, list: [{ a: 1 }, 'x'], often: 'text', matrix: [[1], [2]] },
      { place: { city: 'Rome' }, list: 'none', often: 'text', matrix: [[1]] },
      { place: 'Rome', list: [{ a: 2 }], often: { a: 1 }, matrix: [] },
    ]);
    assert.deepEqual(describeColumns(part.columns).slice(1), [
      ['place', 'place', 'string'],
      ['place_city', 'place.city', 'string'],
      ['often', 'often', 'json'],
      ['matrix', 'matrix', 'json'],
    ]);
    assert.deepEqual(describeColumns(part.children[0]?.columns ?? []), [
      ['value', [], 'string'],
      ['a', 'a', 'int32'],
    ]);
  });

  it('does not flatten documents whose names are data, or that are always empty', () => {
    const byDay = (n: number) =>
      Object.fromEntries(Array.from({ length: 3 }, (_, i) => [`day ${n * 3 + i}`, i]));
    const { part } = infer(Array.from({ length: 40 }, (_, n) => ({ views: byDay(n), nothing: {} })));
    assert.deepEqual(describeColumns(part.columns).slice(1), [
      ['views', 'views', 'json'],
      ['nothing', 'nothing', 'json'],
    ]);
    assert.deepEqual(part.flatten, []);
  });

  it('has NOT NULL if a validator and all of the sample agree', () => {
    const { part, notices } = infer([{ a: 1, b: { c: 1 } }, { a: 2 }], { requiredFields: ['a', 'b', 'c'] });
    assert.deepEqual(
      part.columns.map(({ column, notNull }) => [column, notNull]),
      [
        ['_id', undefined],
        ['a', true],
        ['b_c', undefined],
      ],
    );
    assert.deepEqual(notices, []);
  });

  it('loses nothing of documents, also if it was inferred from others', () => {
    const { json } = fc.letrec<{ json: Json }>((tie) => ({
      json: fc.oneof(
        { maxDepth: 5 },
        fc.constantFrom<Json>(1, 2, 'x', 'y', true, null),
        fc.dictionary(fc.constantFrom('a', 'b', 'c', '_id'), tie('json'), {
          maxKeys: 4,
          noNullPrototype: true,
        }),
        fc.array(tie('json'), { maxLength: 3 }),
      ),
    }));
    const fields = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'a_b'), json, { noNullPrototype: true });
    let tables = 0;
    fc.assert(
      fc.property(
        fc.array(fields, { minLength: 1, maxLength: 5 }),
        fc.array(fields, { maxLength: 5 }),
        fc.constantFrom(0, 1, 3),
        fc.constantFrom('table', 'array', null),
        (seen, others, flatten, scalarArrays) => {
          const { part } = infer(seen, { flatten, scalarArrays });
          const plan = resolvePlan(part, { collection: 'things', schema: 'public', table: 'things' });
          const documents = [...seen, ...others];
          const encoded = createRowEncoder(plan).encodeBatch(
            rawArray(documents.map((one, index) => serialize({ _id: new Int32(index + 1), ...one }))),
          );
          assert.deepEqual(encoded.deadLetters, []);
          tables += encoded.children.length;
          assert.deepEqual(
            reassemble(plan, encoded),
            documents.map((one, index) => withoutNulls({ _id: index + 1, ...one })),
          );
        },
      ),
      { numRuns: 300 },
    );
    assert.ok(tables > 50, `${tables} child tables`);
  });
});
