import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { inferColumns } from '../../../src/plan/infer/infer.ts';
import type { Plan } from '../../../src/transcode/plan.ts';
import { bsonTypes } from '../../../src/bson/types.ts';
import { deadLetterReasons } from '../../../src/bson/document-error.ts';
import { createRowEncoder } from '../../../src/transcode/row.ts';
import { corpus, extra, type CorpusValue } from '../../support/raw-corpus.ts';
import { decodeRows, type Field } from '../../support/copy-decoder.ts';
import { int32, makePlan, rawArray, rawDocument, type RawElement } from '../../support/raw-bson.ts';
import { jsonStyles, type JsonStyle } from '../../../src/bson/json/json-style.ts';
import { nulPolicies } from '../../../src/bson/nul-policy.ts';
import type { ColumnType } from '../../../src/transcode/column-types/names.ts';
import { columnTypes } from '../../../src/transcode/column-types/registry.ts';

const id: RawElement = [bsonTypes.int, '_id', int32(1)];

function element({ bson, bytes }: CorpusValue, name = 'v'): RawElement {
  return [bsonTypes[bson], name, bytes];
}

function encodeRow(plan: Plan, elements: readonly RawElement[]) {
  const { copy, deadLetters } = createRowEncoder(plan).encodeBatch(rawArray([rawDocument(elements)]));
  assert.deepEqual(deadLetters, []);
  const [row] = decodeRows(copy, plan);
  assert.ok(row !== undefined);
  return row;
}

function fits(value: CorpusValue, column: ColumnType): boolean {
  const row = encodeRow(makePlan({ _id: 'int32', v: column }), [id, element(value)]);
  return row._extra === null;
}

/** What Postgres would write. */
function show(column: ColumnType, field: Field): string | null {
  if (field === null) return null;
  const text = String(field);
  if (column === 'uuid') return text.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  if (column === 'binary') return `\\x${text}`;
  if (column !== 'double') return text;
  const value = Buffer.from(text, 'hex').readDoubleBE();
  return Object.is(value, -0) ? '-0' : String(value);
}

const lines = readFileSync('docs/types.md', 'utf8').replaceAll('`', '').split('\n');

/** The cells of the table whose head begins with these. */
function readTable(...head: string[]): string[][] {
  const start = lines.findIndex((line) => line.startsWith(`| ${head.join(' | ')} |`));
  assert.ok(start >= 0, `a table of ${head.join(', ')}`);
  const end = lines.findIndex((line, i) => i > start && !line.startsWith('|'));
  return lines.slice(start + 2, end).map((line) => {
    return line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim());
  });
}

/** What docs/types.md calls each type that has a column of its own. */
const names: Record<string, (value: CorpusValue) => boolean> = {
  ObjectId: ({ bson }) => bson === 'objectId',
  String: ({ bson }) => bson === 'string',
  Int32: ({ bson }) => bson === 'int',
  Int64: ({ bson }) => bson === 'long',
  Double: ({ bson }) => bson === 'double',
  Decimal128: ({ bson }) => bson === 'decimal',
  Boolean: ({ bson }) => bson === 'bool',
  Date: ({ bson }) => bson === 'date',
  Symbol: ({ bson }) => bson === 'symbol',
  'Binary of subtype 4': ({ bson, bytes }) => bson === 'binData' && bytes[4] === 4,
  'Binary of subtype 0': ({ bson, bytes }) => bson === 'binData' && bytes[4] === 0,
};

describe('the corpus', () => {
  it('has every type of BSON', () => {
    assert.deepEqual(new Set(corpus.map(({ bson }) => bson)), new Set(Object.keys(bsonTypes)));
  });
});

describe('docs/types.md', () => {
  const rows = readTable('BSON', 'type in the plan');

  it('has a row for each type of a column, with its name in Postgres', () => {
    assert.deepEqual(new Set(rows.map(([, type]) => type)), new Set(Object.keys(columnTypes)));
    for (const [, type = '', column = ''] of rows) {
      assert.equal(column.split(/,| COLLATE/)[0], columnTypes[type as ColumnType].sql, type);
    }
  });

  for (const [own = '', type = '', , others = ''] of rows) {
    if (type === 'json') continue;
    it(`says which types a column of ${type} takes`, () => {
      const taken = [own, ...others.split(', ')].filter((name) => name !== '');
      for (const name of taken) {
        const isOfType = names[name];
        assert.ok(isOfType !== undefined, name);
        assert.ok(
          corpus.some((value) => isOfType(value) && fits(value, type as ColumnType)),
          name,
        );
      }
      for (const value of corpus) {
        if (value.bson === 'null' || taken.some((name) => names[name]?.(value))) continue;
        assert.ok(!fits(value, type as ColumnType), value.name);
      }
    });
  }

  it('lists the reasons of dead letters, the styles of jsonb and the policies for NUL', () => {
    const reasons = readTable('reason').flatMap(([reason = '']) => reason.split(', '));
    // The last two are results of loading.
    assert.deepEqual(new Set(reasons), new Set([...deadLetterReasons, 'refused', 'worker_died']));
    const policies = readTable('nul').map(([policy = '']) => policy.split(' ')[0]);
    assert.deepEqual(policies, [...nulPolicies]);
    const [head = ''] = lines.filter((line) => line.startsWith('| BSON | relaxed'));
    assert.equal(head, `| BSON | ${jsonStyles.join(' | ').replace('relaxed', 'relaxed (the default)')} |`);
  });
});

describe('a value of the corpus', () => {
  for (const value of corpus) {
    const { name, column, shown, json } = value;

    it(`makes a column of ${column}: ${name}`, async () => {
      const { columns } = await inferColumns([rawDocument([id, element(value)])]);
      assert.deepEqual(
        columns.map(({ type }) => type),
        ['int32', column],
      );
    });

    it(`goes to ${shown === extra ? 'the extra column' : 'its column'}: ${name}`, () => {
      const row = encodeRow(makePlan({ _id: 'int32', v: column }), [id, element(value)]);
      if (shown === extra) {
        assert.deepEqual([row.v, row._extra], [null, `{"v":${json.relaxed}}`]);
      } else {
        assert.equal(row._extra, null);
        if (column === 'json' && shown !== null) assert.equal(row.v, json.relaxed);
        // How Postgres writes a date is for the integration tests.
        else if (column !== 'date') assert.equal(show(column, row.v ?? null), shown);
        else assert.equal(typeof row.v, 'bigint');
      }
    });

    for (const style of jsonStyles) {
      it(`is ${style} JSON in a document, in an array, and alone: ${name}`, () => {
        const plan = { ...makePlan({ _id: 'int32', o: 'json', a: 'json' }), jsonStyle: style };
        const row = encodeRow(plan, [
          id,
          [bsonTypes.object, 'o', rawDocument([element(value)])],
          [bsonTypes.array, 'a', rawDocument([element(value, '0'), element(value, '1')])],
          element(value, 'x'),
        ]);
        const text = json[style];
        assert.deepEqual([row.o, row.a, row._extra], [`{"v":${text}}`, `[${text},${text}]`, `{"x":${text}}`]);
      });
    }

    it(`is canonical as an _id, and in one, and no other value is the same: ${name}`, () => {
      for (const jsonStyle of ['relaxed', 'plain'] satisfies JsonStyle[]) {
        const plan = { ...makePlan({ _id: 'json' }), jsonStyle };
        const alone = encodeRow(plan, [element(value, '_id')])._id;
        const nested = encodeRow(plan, [
          [bsonTypes.object, '_id', rawDocument([element(value), element(value, 'w')])],
        ])._id;
        if (name === 'a document of hostile names') {
          assert.match(String(alone), /^\{"\$document":\[\["",true\],\["\$x",true\],/);
        } else {
          assert.equal(alone, json.canonical);
        }
        assert.equal(nested, `{"$document":[["v",${String(alone)}],["w",${String(alone)}]]}`);
      }
    });
  }

  it('differs from all others as an _id, unless it is the same number', () => {
    const plan = makePlan({ _id: 'json' });
    const forms = corpus.map((value) => encodeRow(plan, [element(value, '_id')])._id);
    const twice = forms.filter((form, i) => forms.indexOf(form) !== i);
    // The bytes of 35 digits stand for zero.
    assert.deepEqual(twice, ['{"$numberDecimal":"0"}']);
  });
});
