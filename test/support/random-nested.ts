/**
 * Random plans of embedded documents that are flattened, and of arrays with tables of their own, at any depth; and documents as
 * such collections have them: mostly alike, with fields that are missing, misplaced, doubled, new, null, or of another type.
 */

import { bsonTypes } from '../../src/bson/types.ts';
import { jsonStyles } from '../../src/bson/json/json-style.ts';
import { nulPolicies } from '../../src/bson/nul-policy.ts';
import type { Random } from '../../src/common/random.ts';
import { columnTypeNames } from '../../src/transcode/column-types/names.ts';
import { type ChildTable, type Plan, placeColumn, type PlanColumn } from '../../src/transcode/plan.ts';
import { rawDocument, type RawElement } from './raw-bson.ts';
import { idTypes, usualFields, usualIds, ValueMaker } from './random-documents.ts';

type Value = readonly [type: number, bytes: Buffer];

/** A field of a collection's documents. */
type Field = { readonly name: string } & Shape;
type Shape =
  | { readonly kind: 'value'; readonly usual: (typeof usualFields)[number] }
  | { readonly kind: 'document'; readonly fields: readonly Field[] }
  | { readonly kind: 'array'; readonly element: Shape };

/** In a fixed order, some of them with special characters in JSON or in paths. */
const names = [
  'a',
  'bb',
  'city',
  'geo',
  '_id',
  'é',
  'quote"d',
  'a.b',
  'b.c',
  'c',
  '$x',
  '',
  'line\n\u0001',
  '\\',
];
const longName = 'n'.repeat(40);

export interface NestedCase {
  readonly plan: Plan;
  readonly make: () => Buffer;
}

/** @param arrays how likely an array has a table of its own */
export function makeNestedCase(random: Random, arrays = 0.7): NestedCase {
  const fields = makeFields(random, 0);
  const plan = new PlanMaker(random, arrays).make(fields);
  return { plan, make: createNestedMaker(random, fields, plan) };
}

function makeFields(random: Random, depth: number): Field[] {
  const count = 1 + random.below(depth === 0 ? 8 : 5);
  const free = [...names, longName].filter((name) => depth > 0 || name !== '_id');
  return Array.from({ length: count }, (): Field => {
    const [name = ''] = free.splice(random.below(free.length), 1);
    return { name, ...makeShape(random, depth) };
  });
}

function makeShape(random: Random, depth: number): Shape {
  if (depth < 4 && random.chance(0.35)) return { kind: 'document', fields: makeFields(random, depth + 1) };
  if (depth < 4 && random.chance(0.15)) return { kind: 'array', element: makeShape(random, depth + 1) };
  return { kind: 'value', usual: random.pick(usualFields) };
}

interface Parts {
  readonly columns: PlanColumn[];
  readonly flattened: string[][];
  readonly children: ChildTable[];
}

class PlanMaker {
  readonly #random: Random;
  readonly #arrays: number;
  readonly #base: Omit<Plan, 'columns' | 'table'>;
  #tables = 0;

  constructor(random: Random, arrays: number) {
    this.#random = random;
    this.#arrays = arrays;
    this.#base = {
      collection: 'nested',
      schema: 'public',
      jsonStyle: random.pick(jsonStyles),
      nul: random.pick(nulPolicies),
      extraColumn: random.chance(0.9) ? '_extra' : null,
    };
  }

  make(fields: readonly Field[]): Plan {
    const id = { field: '_id', column: '_id', type: this.#random.pick(idTypes) };
    return this.#table(fields, [id], []);
  }

  /** @param key the columns before those of the fields */
  #table(fields: readonly Field[], key: readonly PlanColumn[], others: readonly PlanColumn[]): Plan {
    const random = this.#random;
    const parts: Parts = { columns: [...others], flattened: [], children: [] };
    this.#add(fields, [], true, key, parts);
    // An order that differs from that of the documents.
    if (random.chance(0.1)) parts.columns.reverse();
    const tops = fields.map(({ name }) => name);
    return {
      ...this.#base,
      table: `table ${this.#tables++}`,
      columns: [...key, ...parts.columns],
      ...(parts.flattened.length > 0 ? { flattened: parts.flattened } : {}),
      ...(parts.children.length > 0 ? { children: parts.children } : {}),
      ...(random.chance(0.15) ? { dropped: [random.pick([...tops, 'new', 'x'])] } : {}),
    };
  }

  #add(
    fields: readonly Field[],
    around: readonly string[],
    isFlat: boolean,
    key: readonly PlanColumn[],
    parts: Parts,
  ): void {
    const random = this.#random;
    for (const field of fields) {
      const path = [...around, field.name];
      if (field.kind === 'document') {
        if (isFlat && random.chance(0.8)) {
          parts.flattened.push(path);
          if (random.chance(0.15)) parts.columns.push(this.#column(path, random.pick(['string', 'int32'])));
          this.#add(field.fields, path, true, key, parts);
          continue;
        }
        if (random.chance(0.3)) this.#add(field.fields, path, false, key, parts);
        if (random.chance(0.4)) parts.columns.push(this.#column(path, 'json'));
      } else if (field.kind === 'array' && random.chance(this.#arrays)) {
        parts.children.push(this.#child(path, field.element, key));
      } else if (random.chance(0.85)) {
        const type = field.kind === 'array' ? 'json' : field.usual[1];
        parts.columns.push(this.#column(path, random.chance(0.05) ? random.pick(columnTypeNames) : type));
      }
    }
    // Which documents have occasionally.
    if (isFlat && random.chance(0.1)) parts.flattened.push([...around, 'new']);
  }

  #column([field = '', ...path]: readonly string[], type: PlanColumn['type']): PlanColumn {
    const random = this.#random;
    return {
      field,
      column: [field, ...path].join('/'),
      type,
      ...(path.length > 0 ? { path } : {}),
      ...(type === 'binary' && random.chance(0.2) ? { subtype: random.pick([2, 5]) } : {}),
      ...(random.chance(0.01) ? { isRequired: true as const } : {}),
    };
  }

  #child([field = '', ...path]: readonly string[], element: Shape, key: readonly PlanColumn[]): ChildTable {
    const random = this.#random;
    const type = element.kind === 'value' ? element.usual[1] : random.pick(columnTypeNames);
    const others: PlanColumn[] =
      element.kind === 'value' || random.chance(0.2)
        ? [{ field: '', column: 'value', type, isElement: true }]
        : [];
    const fields = element.kind === 'document' ? element.fields : [];
    const inner = [...key, placeColumn(`place ${key.length}`)];
    return {
      field,
      ...(path.length > 0 ? { path } : {}),
      ...(random.chance(0.6) ? { keepsEmpty: true as const } : {}),
      plan: this.#table(fields, inner, random.chance(0.9) ? others : []),
    };
  }
}

function createNestedMaker(random: Random, fields: readonly Field[], { columns }: Plan): () => Buffer {
  const values = new ValueMaker(random, random.pick([0, 0.005, 0.05]));
  const idType = columns[0]?.type;
  const idMaker = random.pick(usualIds[idTypes.find((type) => type === idType) ?? 'json']);
  const disorder = random.pick([0, 0, 0.05, 0.5]);
  const novelty = random.pick([0, 0.01, 0.1]);
  const deviation = random.pick([0, 0.01, 0.1]);
  const doubles = random.pick([0, 0, 0.005]);
  const presence = random.pick([1, 0.95, 0.6]);
  const valueOf = (shape: Shape): Value => {
    if (random.chance(deviation)) return random.chance(0.3) ? values.null() : values.any();
    if (shape.kind === 'value') return values[shape.usual[2]]();
    if (shape.kind === 'document') return [bsonTypes.object, documentOf(shape.fields, [])];
    const length = random.below(4);
    const elements = Array.from({ length }, (_, i): RawElement => {
      const [type, bytes] = valueOf(shape.element);
      return [type, String(i), bytes];
    });
    return [bsonTypes.array, rawDocument(elements)];
  };
  const element = (name: string, [type, bytes]: Value): RawElement => [type, name, bytes];
  const documentOf = (all: readonly Field[], before: readonly RawElement[]): Buffer => {
    if (before.length === 0 && random.chance(deviation)) return rawDocument([]);
    const elements = [
      ...before,
      ...all.filter(() => random.chance(presence)).map((field) => element(field.name, valueOf(field))),
    ];
    const put = (added: RawElement): void => {
      elements.splice(random.below(elements.length + 1), 0, added);
    };
    while (random.chance(novelty)) put(element(random.pick(['new', 'x', 'b.c', 'geo']), values.any()));
    const [first] = elements;
    if (first !== undefined && random.chance(doubles)) put(first);
    if (elements.length > 1 && random.chance(disorder)) {
      const [moved] = elements.splice(random.below(elements.length), 1);
      if (moved !== undefined) put(moved);
    }
    return rawDocument(elements);
  };
  return () => {
    const isMissing = random.chance(deviation / 50);
    const id = random.chance(deviation / 10) ? values.any() : values[idMaker]();
    return documentOf(fields, isMissing ? [] : [element('_id', id)]);
  };
}
