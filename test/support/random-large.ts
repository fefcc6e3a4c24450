/** Random documents that are longer than those of which the core assumes how much they grow, and plans for these. */

import { bsonTypes } from '../../src/bson/types.ts';
import { jsonStyles } from '../../src/bson/json/json-style.ts';
import { nulPolicies } from '../../src/bson/nul-policy.ts';
import type { Random } from '../../src/common/random.ts';
import type { Plan } from '../../src/transcode/plan.ts';
import { type Value, ValueMaker } from './random-documents.ts';
import { int32, rawDocument, type RawElement } from './raw-bson.ts';

const longBytes = 256 * 1024;

const places = ['text', 'lines', 'other'] as const;

export function makeLargeCase(random: Random): { readonly plan: Plan; readonly make: () => Buffer } {
  const table = {
    ...{ collection: 'large', schema: 'public' },
    extraColumn: random.chance(0.9) ? '_extra' : null,
    jsonStyle: random.pick(jsonStyles),
    nul: random.pick(nulPolicies),
  };
  const id = { field: '_id', column: '_id', type: 'int32' } as const;
  const place = { field: 'place', column: 'place', type: 'int32' } as const;
  const inner = ['x', 'c', 'é'].map((field) => ({
    field,
    column: field,
    type: random.pick(['json', 'string', 'int32', 'decimal'] as const),
  }));
  const lines = { field: 'lines', plan: { ...table, table: 'lines', columns: [id, place, ...inner] } };
  const text = { field: 'text', column: 'text', type: random.pick(['string', 'json', 'binary'] as const) };
  const plan = {
    ...{ ...table, table: 'large', columns: [id, text] },
    ...(random.chance(0.5) ? { children: [lines] } : {}),
    ...(random.chance(0.2) && table.extraColumn !== null ? { keepsWhole: true as const } : {}),
  };
  return {
    plan,
    make: () => {
      const values = new ValueMaker(random, random.chance(0.1) ? 0.01 : 0);
      const long = random.pick(places);
      const fields = places.map((name): RawElement => {
        const [type, bytes] = name === long ? makeLarge(random, values) : values.any();
        return [type, name, bytes];
      });
      return rawDocument([[bsonTypes.int, '_id', int32(random.below(1000))], ...fields]);
    },
  };
}

/** The same few values, again and again. */
function makeLarge(random: Random, values: ValueMaker): Value {
  const [isArray, hasObjects] = [random.chance(0.7), random.chance(0.5)];
  const few = Array.from({ length: 1 + random.below(20) }, (_, index): RawElement => {
    const [type, bytes] = hasObjects ? values.object() : values.any();
    return [type, isArray ? String(index) : random.pick(['a', '"', '\n\n\n', 'ü', '']), bytes];
  });
  const elements = rawDocument(few).subarray(4, -1);
  const all = Buffer.alloc(Math.ceil(longBytes / elements.length) * elements.length, elements);
  const bytes = Buffer.concat([int32(all.length + 5), all, Buffer.of(0)]);
  return [isArray ? bsonTypes.array : bsonTypes.object, bytes];
}
