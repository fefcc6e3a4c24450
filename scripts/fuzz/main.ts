/**
 * Feeds random and mutated BSON to the transcoder for a while. A row whose bytes are well formed, a dead letter, or a
 * BsonError for an array that cannot be walked are the only valid results; and the core and the encoder in TypeScript
 * must agree on everything.
 *
 *   npm run fuzz -- --seconds 300 --seed 42
 */

import { parseArgs } from 'node:util';
import { listDescendants, type Plan } from '../../src/transcode/plan.ts';
import { arrayOfDocuments } from '../../src/bson/array.ts';
import { BsonError, bsonTypes } from '../../src/bson/types.ts';
import { decodeRows } from '../../test/support/copy-decoder.ts';
import { corpus } from '../../test/support/raw-corpus.ts';
import { rawDocument, rawString } from '../../test/support/raw-bson.ts';
import { createRandom } from '../../src/common/random.ts';
import { jsonStyles } from '../../src/bson/json/json-style.ts';
import { nulPolicies } from '../../src/bson/nul-policy.ts';
import { createDocumentMaker, idTypes, usualFields } from '../../test/support/random-documents.ts';
import { makeLargeCase } from '../../test/support/random-large.ts';
import { makeNestedCase } from '../../test/support/random-nested.ts';
import { makeTargetCase } from '../../test/support/random-targets.ts';
import { compared, TwinEncoder } from '../../test/support/twin-encoder.ts';
import { columnTypeNames } from '../../src/transcode/column-types/names.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
});
const seed = Number(values.seed);
const endMs = performance.now() + Number(values.seconds) * 1000;
const random = createRandom(seed);

const types = columnTypeNames;
const documents = makeDocuments();
const outcomes = { rows: 0, elements: 0, deadLetters: 0, corruptArrays: 0 };
/** Of documents that are taken apart. */
const nested = { documents: 0, byCore: 0 };
/** Of documents that are long. */
const large = { documents: 0, byCore: 0 };
/** Of documents for existing tables. */
const targets = { documents: 0, byCore: 0 };
let rounds = 0;
let arrays = 0;

console.log(`seed ${seed}, ${values.seconds} s`);
while (performance.now() < endMs) {
  rounds++;
  const plan = makePlan();
  const encoder = new TwinEncoder(plan, { maxJsonBytes: 1 << 20, maxRowBytes: 1 << 22 });
  // One encoder for several arrays, as the state of one must not affect the next.
  for (let i = 0; i < 50; i++) tryArray(mutate(makeArray()), plan, encoder);
  arrays += 50;
  tryUsual();
  tryNested();
  tryTargets();
  tryLarge();
}
console.log(`${arrays} arrays: ${JSON.stringify(outcomes)}`);
console.log(`compared: ${compared.documents} documents, ${compared.byCore} of them encoded by the core`);
console.log(`of these taken apart: ${nested.documents}, ${nested.byCore} of them encoded by the core`);
console.log(
  `of these for existing tables: ${targets.documents}, ${targets.byCore} of them encoded by the core`,
);
console.log(`of these long: ${large.documents}, ${large.byCore} of them encoded by the core`);

/** Batches as collections have them, with little damage. */
function tryUsual(): void {
  const plan = makeUsualPlan();
  tryBatches(plan, createDocumentMaker(random, plan));
}

/** The same with documents that are taken apart, to columns and to tables. */
function tryNested(): void {
  const { plan, make } = makeNestedCase(random, random.pick([0, 0.7]));
  countCompared(nested, () => {
    tryBatches(plan, make);
  });
}

/** The same with the types of existing tables, and arrays of PostgreSQL. */
function tryTargets(): void {
  const { plan, make } = makeTargetCase(random);
  countCompared(targets, () => {
    tryBatches(plan, make, false);
  });
}

/** A few of these, since each takes as long as hundreds. */
function tryLarge(): void {
  const { plan, make } = makeLargeCase(random);
  const encoder = new TwinEncoder(plan);
  countCompared(large, () => {
    for (let i = 0; i < 2; i++) {
      outcomes.rows += encoder.encodeBatch(arrayOfDocuments([make(), make(), make()])).rowCount;
      arrays++;
    }
  });
}

/** Adds what is compared meanwhile. */
function countCompared(counts: typeof compared, tryThem: () => void): void {
  const before = { ...compared };
  tryThem();
  counts.documents += compared.documents - before.documents;
  counts.byCore += compared.byCore - before.byCore;
}

/** @param mayMutate whether the rows can be decoded to be looked at */
function tryBatches(plan: Plan, make: () => Buffer, mayMutate = true): void {
  const encoder = new TwinEncoder(plan, random.chance(0.1) ? { maxJsonBytes: 200, maxRowBytes: 1000 } : {});
  const documents = Array.from({ length: 400 }, make);
  for (let i = 0; i < 20; i++) {
    const array = arrayOfDocuments(Array.from({ length: random.below(400) }, () => random.pick(documents)));
    // The content of rows was checked above.
    if (mayMutate && random.chance(0.05)) tryArray(mutate(array), plan, encoder);
    else outcomes.rows += encoder.encodeBatch(array).rowCount;
    arrays++;
  }
}

function makeUsualPlan(): Plan {
  const table = {
    collection: 'usual',
    schema: 'public',
    jsonStyle: random.pick(jsonStyles),
    nul: random.pick(nulPolicies),
    extraColumn: random.chance(0.9) ? '_extra' : null,
  };
  const columns = usualFields
    .filter(() => random.chance(0.9))
    .map(([field, type]) => ({
      field,
      column: field,
      type: random.chance(0.05) ? random.pick(types) : type,
      ...(type === 'binary' && random.chance(0.2) ? { subtype: random.pick([2, 5]) } : {}),
      ...(random.chance(0.02) ? { isRequired: true as const } : {}),
    }));
  const id = { field: '_id', column: '_id', type: random.pick(idTypes) };
  const place = { field: 'place', column: 'place', type: 'int32' as const };
  const inner = ['x', 'c', 'é', 'd'].map((field) => ({ field, column: field, type: random.pick(types) }));
  const children = ['f', 'g']
    .filter((field) => random.chance(0.4) && !columns.some((column) => column.field === field))
    .map((field) => ({ field, plan: { ...table, table: field, columns: [id, place, ...inner] } }));
  const nested = [['c'], ['x'], ['d', 'x'], ['d', 'c']]
    .filter(() => random.chance(0.2))
    .map((path) => ({ field: 'b', column: `b.${path.join('.')}`, type: random.pick(types), path }));
  return {
    ...table,
    table: 'usual',
    columns: [id, ...columns, ...nested],
    ...(children.length > 0 ? { children } : {}),
    ...(random.chance(0.3) ? { dropped: random.pick([['x'], ['x', 'new', 'f'], ['b', 'quote"d']]) } : {}),
    ...(random.chance(0.1) && table.extraColumn !== null ? { keepsWhole: true as const } : {}),
  };
}

function tryArray(array: Buffer, plan: Plan, encoder: TwinEncoder): void {
  // Of exactly this length, so that a read beyond it cannot find anything.
  const exact = new Uint8Array(new ArrayBuffer(array.length));
  exact.set(array);
  try {
    const batch = encoder.encodeBatch(exact);
    // Throws at what Postgres would refuse.
    const rows = decodeRows(batch.copy, plan);
    if (rows.length !== batch.rowCount) {
      throw new Error(`${rows.length} rows in a stream of ${batch.rowCount}`);
    }
    if (batch.documentCount !== batch.rowCount + batch.deadLetters.length) {
      throw new Error('documents went missing');
    }
    const tables = listDescendants(plan);
    for (const [index, child] of batch.children.entries()) {
      const childPlan = tables[index]?.child.plan ?? plan;
      const elements = decodeRows(child.copy, childPlan).length;
      if (elements !== child.rowCount || elements !== child.parents.length) {
        throw new Error('elements went missing');
      }
      outcomes.elements += elements;
    }
    outcomes.rows += batch.rowCount;
    outcomes.deadLetters += batch.deadLetters.length;
  } catch (error) {
    if (error instanceof BsonError) {
      outcomes.corruptArrays++;
      return;
    }
    console.error(`seed ${seed}, round ${rounds}: the array ${array.toString('hex').slice(0, 20_000)}`);
    console.error(`with the plan ${JSON.stringify(plan)}`);
    throw error;
  }
}

/** Every type and edge value there is, in a column, in documents and arrays, and as `_id`. */
function makeDocuments(): Buffer[] {
  const made = corpus
    // Short texts cover the same cases as long ones, faster.
    .filter(({ bytes }) => bytes.length < 1000)
    .map(({ bson, bytes }, index) => {
      const type = bsonTypes[bson];
      const id = Buffer.alloc(4);
      id.writeInt32LE(index);
      return rawDocument([
        ...(index % 2 === 0 ? [[bsonTypes.int, '_id', id] as const] : [[type, '_id', bytes] as const]),
        [type, 'a', bytes],
        [
          bsonTypes.object,
          'b',
          rawDocument([
            [type, 'c', bytes],
            [bsonTypes.object, 'd', rawDocument([[type, 'x', bytes]])],
            [bsonTypes.array, 'e', rawDocument([[type, '0', bytes]])],
          ]),
        ],
        [
          bsonTypes.array,
          'f',
          rawDocument([
            [type, '0', bytes],
            [bsonTypes.object, '1', rawDocument([[type, 'x', bytes]])],
          ]),
        ],
        [bsonTypes.string, 'e', rawString('text \\u0000 \0 \u{1f98a}')],
      ]);
    });
  return [...made, rawDocument([]), rawDocument([[bsonTypes.null, 'a', Buffer.of()]])];
}

function makePlan(): Plan {
  const column = (field: string, path?: readonly string[]) => ({
    field,
    column: [field, ...(path ?? [])].join('.'),
    type: random.pick(types),
    ...(path === undefined ? {} : { path }),
    ...(random.chance(0.1) && field !== '_id' ? { isRequired: true as const } : {}),
  });
  const id = { field: '_id', column: '_id', type: random.chance(0.5) ? 'json' : random.pick(types) };
  const place = { field: 'place', column: 'place', type: 'int32' as const };
  const table = {
    collection: 'fuzz',
    schema: 'public',
    extraColumn: '_extra',
    jsonStyle: random.pick(jsonStyles),
    nul: random.pick(nulPolicies),
  };
  const elements = { ...table, table: 'elements', columns: [id, place, column('x')] };
  return {
    ...table,
    table: 'fuzz',
    columns: [
      id,
      column('a'),
      ...(random.chance(0.5) ? [column('b')] : []),
      ...(random.chance(0.5) ? [column('b', ['c']), column('b', ['d', 'x'])] : []),
    ],
    ...(random.chance(0.3) ? { children: [{ field: 'f', plan: elements }] } : {}),
    ...(random.chance(0.2) ? { dropped: ['e'] } : {}),
    ...(random.chance(0.2) ? { keepsWhole: true as const } : {}),
  };
}

function makeArray(): Buffer {
  return arrayOfDocuments(Array.from({ length: 1 + random.below(4) }, () => random.pick(documents)));
}

/** Some of the damage keeps the lengths around it right, so that it is detected inside and not by the outer length. */
function mutate(original: Buffer): Buffer {
  let bytes = Buffer.from(original);
  for (let count = random.below(4); count > 0; count--) {
    const at = random.below(bytes.length);
    switch (random.below(6)) {
      case 0:
        bytes[at] = bytes.readUInt8(at) ^ (1 << random.below(8));
        break;
      case 1:
        bytes[at] = random.pick([0, 1, 2, 3, 4, 5, 0x10, 0x7f, 0x80, 0xff]);
        break;
      case 2:
        if (at + 4 <= bytes.length) {
          bytes.writeInt32LE(random.pick([-1, 0, 1, 4, 5, 0x7fffffff, -0x80000000, random.below(200)]), at);
        }
        break;
      case 3:
        bytes = bytes.subarray(0, at);
        if (random.chance(0.7) && bytes.length >= 4) bytes.writeInt32LE(bytes.length, 0);
        break;
      case 4: {
        const other = random.pick(documents);
        const from = random.below(other.length);
        bytes = Buffer.concat([
          bytes.subarray(0, at),
          other.subarray(from, from + random.below(30)),
          bytes.subarray(at),
        ]);
        if (random.chance(0.7) && bytes.length >= 4) bytes.writeInt32LE(bytes.length, 0);
        break;
      }
      default:
        bytes.copy(bytes, at, random.below(bytes.length), bytes.length);
    }
    if (bytes.length === 0) return bytes;
  }
  return bytes;
}
