/**
 * Feeds mutated BSON to the transcoder for a while. A row whose bytes are well formed, a dead letter, or a BsonError for
 * an array that cannot be walked are all that may come of it.
 *
 *   npm run fuzz -- --seconds 300 --seed 42
 */

import { parseArgs } from 'node:util';
import type { Plan } from '../src/transcode/plan.ts';
import { arrayOfDocuments } from '../src/bson/array.ts';
import { BsonError, bsonTypes } from '../src/bson/types.ts';
import { createRowEncoder } from '../src/transcode/row.ts';
import { decodeRows } from '../test/support/copy-decoder.ts';
import { corpus } from '../test/support/raw-corpus.ts';
import { rawDocument, rawString } from '../test/support/raw-bson.ts';
import { createRandom } from './random.ts';
import { jsonStyles } from '../src/bson/json/json-style.ts';
import { nulPolicies } from '../src/bson/nul-policy.ts';
import { columnTypes, type ColumnType } from '../src/transcode/column-types.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
});
const seed = Number(values.seed);
const endMs = performance.now() + Number(values.seconds) * 1000;
const random = createRandom(seed);

const types = Object.keys(columnTypes) as ColumnType[];
const documents = makeDocuments();
const outcomes = { rows: 0, elements: 0, deadLetters: 0, corruptArrays: 0 };
let rounds = 0;

console.log(`seed ${seed}, ${values.seconds} s`);
while (performance.now() < endMs) {
  rounds++;
  const plan = makePlan();
  const encoder = createRowEncoder(plan, { maxJsonBytes: 1 << 20, maxRowBytes: 1 << 22 });
  // One encoder for several arrays, as what one leaves behind must not be seen in the next.
  for (let i = 0; i < 50; i++) tryArray(mutate(makeArray()), plan, encoder);
}
console.log(`${rounds * 50} arrays: ${JSON.stringify(outcomes)}`);

function tryArray(array: Buffer, plan: Plan, encoder: ReturnType<typeof createRowEncoder>): void {
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
    for (const [index, child] of batch.children.entries()) {
      const { plan: childPlan = plan } = plan.children?.[index] ?? {};
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
    console.error(`seed ${seed}, round ${rounds}: the array ${array.toString('hex')}`);
    console.error(`with the plan ${JSON.stringify(plan)}`);
    throw error;
  }
}

/** Every type and edge value there is, in a column, in documents and arrays, and as `_id`. */
function makeDocuments(): Buffer[] {
  const made = corpus
    // What is done to a long text is done to a short one, sooner.
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

/** Some of the damage keeps the lengths around it right, so that it is met inside and not at the door. */
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
