import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Int32, serialize } from 'bson';
import type { Plan, PlanColumn } from '../../../src/transcode/plan.ts';
import { createRowEncoder } from '../../../src/transcode/row.ts';
import { decodeRows } from '../../support/copy-decoder.ts';
import { int32, makePlan, rawArray, rawDocument, type RawElement } from '../../support/raw-bson.ts';
import fc from '../../support/fast-check.ts';

const id: RawElement = [0x10, '_id', int32(1)];
const int = (name: string, value: number): RawElement => [0x10, name, int32(value)];
const embed = (name: string, ...elements: RawElement[]): RawElement => [3, name, rawDocument(elements)];

/** A jsonb column for each of these paths, and integer ones for `_id`; its name is the path with dots. */
function plan(...paths: string[]): Plan {
  const columns = ['_id', ...paths].map((column): PlanColumn => {
    const [field = '', ...path] = column.split('.');
    return {
      field,
      column,
      type: column === '_id' ? 'int32' : 'json',
      ...(path.length > 0 ? { path } : {}),
    };
  });
  return { ...makePlan({}), columns };
}

function encode(by: Plan, ...documents: RawElement[][]) {
  const array = rawArray(documents.map((elements) => rawDocument(elements)));
  const { copy, deadLetters } = createRowEncoder(by).encodeBatch(array);
  return { rows: decodeRows(copy, by), reasons: deadLetters.map(({ reason }) => reason) };
}

describe('the walk to nested values', () => {
  it('finds the same as a walk over objects, with any order of fields', () => {
    const paths = ['a.a', 'a.b', 'a.a.c', 'b.a.b.c', 'b', 'c.b'];
    const by = plan(...paths);
    interface Tree {
      [name: string]: Tree | number;
    }
    const names = fc.constantFrom('a', 'b', 'c', 'd');
    const { tree } = fc.letrec<{ tree: Tree | number }>((tie) => ({
      tree: fc.oneof({ maxDepth: 4 }, fc.integer(), fc.dictionary(names, tie('tree'))),
    }));
    const encoder = createRowEncoder(by);
    fc.assert(
      fc.property(fc.array(fc.dictionary(names, tree), { maxLength: 4 }), (documents) => {
        const array = rawArray(documents.map((fields) => serialize({ _id: new Int32(1), ...fields })));
        const rows = decodeRows(encoder.encodeBatch(array).copy, by);
        documents.forEach((fields, i) => {
          for (const path of paths) {
            const found = path
              .split('.')
              .reduce<Tree | number | undefined>(
                (at, name) => (typeof at === 'object' ? at[name] : undefined),
                fields,
              );
            const expected = found === undefined ? null : (JSON.parse(JSON.stringify(found)) as unknown);
            const text = rows[i]?.[path] ?? null;
            assert.deepEqual(typeof text === 'string' ? JSON.parse(text) : text, expected, path);
          }
        });
      }),
      { numRuns: 500 },
    );
  });

  it('takes the first of two values, and of two documents', () => {
    const { rows } = encode(
      plan('a.b', 'a.c', 'a'),
      [id, embed('a', int('b', 1), int('b', 2))],
      [id, embed('a', int('b', 1)), embed('a', int('b', 2), int('c', 3))],
    );
    assert.deepEqual(
      rows.map((row) => [row['a.b'], row['a.c'], row._extra]),
      [
        ['1', null, null],
        ['1', null, '{"a":{"b":2,"c":3}}'],
      ],
    );
  });

  it('does not go into arrays', () => {
    const { rows } = encode(plan('a.0'), [id, [4, 'a', rawDocument([int('0', 1)])]]);
    assert.deepEqual([rows[0]?.['a.0'], rows[0]?._extra], [null, '{"a":[1]}']);
  });

  it('makes a dead letter of a document that is corrupt on the way, even of a dropped field', () => {
    const corrupt: RawElement = [3, 'a', rawDocument([[8, 'x', Buffer.of(7)]])];
    assert.deepEqual(encode({ ...plan('a.b'), dropped: ['a'] }, [id, corrupt]).reasons, ['corrupt_bson']);
    assert.deepEqual(encode({ ...plan(), dropped: ['a'] }, [id, corrupt]).reasons, []);
  });

  it('enters the _id, which also has a column', () => {
    const by = plan('_id.a');
    const columns = by.columns.map((column) => ({ ...column, type: 'json' as const }));
    const { rows, reasons } = encode(
      { ...by, columns },
      [embed('_id', int('a', 1))],
      [[2, '_id', Buffer.from('02000000780000', 'hex').subarray(0, 6)]],
    );
    assert.deepEqual(reasons, []);
    assert.deepEqual(
      rows.map((row) => [row._id, row['_id.a']]),
      [
        ['{"a":{"$numberInt":"1"}}', '1'],
        ['"x"', null],
      ],
    );
  });
});
