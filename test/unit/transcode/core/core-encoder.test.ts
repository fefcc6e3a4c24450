import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Double, Int32, ObjectId, serialize } from 'bson';
import { createRandom } from '../../../../src/common/random.ts';
import { BsonError, type BsonTypeName, bsonTypes } from '../../../../src/bson/types.ts';
import type { Plan } from '../../../../src/transcode/plan.ts';
import type { ColumnType } from '../../../../src/transcode/column-types/names.ts';
import { jsonStyles } from '../../../../src/bson/json/json-style.ts';
import { createCoreEncoder } from '../../../../src/transcode/core/core-encoder.ts';
import { createCore } from '../../../../src/transcode/core/module.ts';
import { createRowEncoder } from '../../../../src/transcode/row.ts';
import { decodeRows } from '../../../support/copy-decoder.ts';
import { createDocumentMaker, usualFields } from '../../../support/random-documents.ts';
import { double, int32, makePlan, rawArray, rawDocument, rawString } from '../../../support/raw-bson.ts';
import { corpus } from '../../../support/raw-corpus.ts';
import { compared, TwinEncoder } from '../../../support/twin-encoder.ts';

const idOf = (n: number) => new ObjectId(n.toString(16).padStart(24, '0'));
const user = (n: number) => ({ _id: idOf(n), name: `User ${n}`, age: new Int32(n) });
const userPlan = makePlan({ _id: 'objectId', name: 'string', age: 'int32' });
const usual = Object.fromEntries(usualFields.map(([name, type]): [string, ColumnType] => [name, type]));

/** Of the documents that `work` compares, how many the core has encoded. */
function countByCore(work: () => void): { documents: number; byCore: number } {
  const before = { ...compared };
  work();
  return { documents: compared.documents - before.documents, byCore: compared.byCore - before.byCore };
}

function encodeAll(plan: Plan, documents: readonly object[]): { documents: number; byCore: number } {
  const twin = new TwinEncoder(plan);
  return countByCore(() => {
    twin.encodeBatch(rawArray(documents.map((document) => serialize(document))));
  });
}

describe('the core', () => {
  it('encodes random documents like the encoder in TypeScript, most of them by itself', () => {
    const counts = countByCore(() => {
      for (let seed = 1; seed <= 12; seed++) {
        const random = createRandom(seed);
        const plan = { ...makePlan({ _id: 'objectId', ...usual }), jsonStyle: random.pick(jsonStyles) };
        const twin = new TwinEncoder(plan);
        for (let batch = 0; batch < 3; batch++) {
          twin.encodeBatch(rawArray(Array.from({ length: 100 }, createDocumentMaker(random, plan))));
        }
      }
    });
    assert.equal(counts.documents, 3600);
    assert.ok(counts.byCore > 2000, `only ${counts.byCore} by the core`);
  });

  it('encodes values of all types except code with a scope and rare decimals', () => {
    const documentOf = (bson: BsonTypeName, bytes: Buffer): Buffer =>
      rawDocument([
        [bsonTypes.int, '_id', int32(1)],
        [bsonTypes[bson], 'a', bytes],
      ]);
    const types = new Set(corpus.map(({ column }) => column));
    for (const jsonStyle of jsonStyles) {
      for (const type of types) {
        const twin = new TwinEncoder({ ...makePlan({ _id: 'int32', a: type }), jsonStyle });
        for (const { bson, bytes } of corpus) twin.encodeBatch(rawArray([documentOf(bson, bytes)]));
      }
    }
    const twin = new TwinEncoder(makePlan({ _id: 'json' }));
    for (const { bson, bytes } of corpus) {
      twin.encodeBatch(rawArray([rawDocument([[bsonTypes[bson], '_id', bytes]])]));
    }
    const jsonTwin = new TwinEncoder(makePlan({ _id: 'int32', a: 'json' }));
    const refused = corpus.filter(({ bson, bytes }) => {
      return countByCore(() => jsonTwin.encodeBatch(rawArray([documentOf(bson, bytes)]))).byCore === 0;
    });
    assert.deepEqual(
      refused.map(({ name }) => name).filter((name) => !/decimal|code with a scope/.test(name)),
      [],
    );
  });

  it('writes doubles as JavaScript does', () => {
    const random = createRandom(7);
    const edges = [
      5e-324,
      2 ** -1022,
      2 ** -1074,
      1.7976931348623157e308,
      2 ** 53,
      1e21,
      1e-7,
      123456e-8,
      9.5e-7,
    ];
    const numbers = Array.from({ length: 20_000 }, (_, i) => {
      if (i % 4 === 0) return random.below(2 ** 31) / 10 ** random.below(12);
      if (i % 4 === 1) return (1 + random.below(2 ** 20)) * 2 ** (random.below(2000) - 1040);
      if (i % 4 === 2) return -random.below(2 ** 31) / (1 + random.below(1000));
      return 10 ** (random.below(600) - 300) * (1 + random.below(9));
    }).filter((value) => Number.isFinite(value) && !Object.is(value, -0));
    const all = [...edges, ...numbers];
    const array = rawDocument(all.map((value, i) => [1, String(i % 10), double(value)]));
    const plan = makePlan({ _id: 'int32', a: 'json' });
    const document = rawDocument([
      [0x10, '_id', int32(1)],
      [4, 'a', array],
    ]);
    const [row] = decodeRows(createCoreEncoder(plan).encodeBatch(rawArray([document])).copy, plan);
    assert.equal(row?.a, `[${all.map(String).join(',')}]`);
    assert.deepEqual(
      countByCore(() => new TwinEncoder(plan).encodeBatch(rawArray([document]))),
      { documents: 1, byCore: 1 },
    );
  });

  it('accepts fields in any order, and missing ones', () => {
    const documents = [
      { _id: idOf(1), name: 'a', age: 1 },
      { age: 2, name: 'b', _id: idOf(2) },
      { name: 'c', _id: idOf(3) },
      { _id: idOf(4), age: 4 },
      { _id: idOf(5) },
    ];
    assert.deepEqual(encodeAll(userPlan, documents), { documents: 5, byCore: 5 });
  });

  it('learns the names that the plan does not know', () => {
    const documents = Array.from({ length: 100 }, (_, n) => ({
      ...user(n),
      new: n,
      [`other${n % 3}`]: null,
    }));
    // The first three have new names.
    assert.deepEqual(encodeAll(userPlan, documents), { documents: 100, byCore: 97 });
  });

  it('is not used if names are data', () => {
    const twin = new TwinEncoder(userPlan);
    const counts = [0, 1, 2].map((batch) =>
      countByCore(() => {
        const of = (n: number): object => (n % 2 === 0 ? { ...user(n), [`key ${batch} ${n}`]: n } : user(n));
        const documents = Array.from({ length: 3000 }, (_, n) => serialize(of(n)));
        twin.encodeBatch(rawArray(documents));
      }),
    );
    assert.ok(
      counts.every(({ byCore }) => byCore < 200),
      JSON.stringify(counts),
    );
    assert.equal(counts[2]?.byCore, 0);
  });

  it('writes tables of elements', () => {
    const inner = {
      ...makePlan({ _id: 'objectId', place: 'int32', sku: 'string', price: 'double' }),
      table: 'lines',
    };
    const plan = { ...userPlan, children: [{ field: 'lines', plan: inner }] };
    const line = (n: number) => ({
      sku: `s${n}`,
      price: new Double(n / 8),
      ...(n % 3 === 0 ? { note: 'x' } : {}),
    });
    const documents = Array.from({ length: 60 }, (_, n) => ({
      ...user(n),
      lines: n % 7 === 0 ? 'none' : Array.from({ length: n % 5 }, (_, i) => (i === 4 ? 'bare' : line(n + i))),
    }));
    const { documents: count, byCore } = encodeAll(plan, documents);
    assert.equal(count, 60);
    assert.ok(byCore > 50, `only ${byCore} by the core`);
  });

  it('removes the elements of a refused document, also if memory has moved meanwhile', () => {
    const tables = ['first', 'second'].map((field) => ({
      field,
      plan: { ...makePlan({ _id: 'objectId', place: 'int32', text: 'string' }), table: field },
    }));
    const plan = { ...userPlan, children: tables };
    const documents = Array.from({ length: 20 }, (_, n) => ({
      ...user(n),
      // Grows while the document is encoded, and moves what lies behind.
      first: Array.from({ length: n === 10 ? 3000 : 2 }, (_, i) => ({
        text: `element ${i} ${'x'.repeat(30)}`,
      })),
      second: [{ text: `of ${n}` }, { text: n === 10 ? 'a\0b' : 'fine' }],
    }));
    assert.deepEqual(encodeAll(plan, documents), { documents: 20, byCore: 19 });
  });

  it('leaves dead letters to the encoder in TypeScript, and continues after them', () => {
    const documents = Array.from({ length: 50 }, (_, n) =>
      n % 10 === 3 ? { ...user(n), name: 'a\0b' } : user(n),
    );
    assert.deepEqual(encodeAll(userPlan, documents), { documents: 50, byCore: 45 });
  });

  it('leaves the rest of a batch to it if many documents are refused', () => {
    const documents = Array.from({ length: 1000 }, (_, n) => ({
      ...user(n),
      name: n % 2 === 0 ? 'a\0b' : 'c',
    }));
    const { byCore } = encodeAll(userPlan, documents);
    assert.ok(byCore > 0 && byCore < 150, `${byCore} by the core`);
  });

  it('grows, and releases unused memory', () => {
    const encoder = createCoreEncoder(makePlan({ _id: 'int32', text: 'string' }), {
      onFailure: (reason) => assert.fail(reason),
    });
    const plain = createRowEncoder(makePlan({ _id: 'int32', text: 'string' }));
    const batch = (count: number, length: number) =>
      rawArray(
        Array.from({ length: count }, (_, n) =>
          rawDocument([
            [0x10, '_id', int32(n)],
            [2, 'text', rawString(String.fromCharCode(97 + (n % 26)).repeat(length))],
          ]),
        ),
      );
    const sizes: number[] = [];
    for (const array of [batch(3, 10), batch(400, 100_000), batch(3, 10), batch(3, 10)]) {
      const { copy } = encoder.encodeBatch(array);
      assert.ok(copy.equals(plain.encodeBatch(array).copy));
      sizes.push(copy.buffer.byteLength);
    }
    const [first = 0, second = 0, third = 0, fourth = 0] = sizes;
    assert.ok(second > 80_000_000 && third === second && fourth === first, sizes.join());
  });

  it('is optional: without it everything is encoded in TypeScript, with one notice', () => {
    const reported: string[] = [];
    const create = (): never => {
      throw new Error('WebAssembly is not defined');
    };
    const encoder = createCoreEncoder(userPlan, { create, onFailure: (reason) => reported.push(reason) });
    const array = rawArray([serialize(user(1)), serialize(user(2))]);
    for (let batch = 0; batch < 3; batch++) {
      assert.ok(encoder.encodeBatch(array).copy.equals(createRowEncoder(userPlan).encodeBatch(array).copy));
    }
    assert.deepEqual(reported, ['WebAssembly is not defined']);
  });

  it('tolerates memory that the system refuses, with one notice', () => {
    for (const refuses of ['openBatch', 'run', 'extend'] as const) {
      const reported: string[] = [];
      const create = () => {
        const core = createCore();
        const answer = refuses === 'run' ? 3 : 0;
        let calls = 0;
        // During a batch, and not at its beginning.
        const refuse = (...args: [number, number]): number =>
          ++calls > 2 || refuses !== 'extend' ? answer : core.extend(...args);
        return { ...core, [refuses]: refuse };
      };
      const encoder = createCoreEncoder(userPlan, { create, onFailure: (reason) => reported.push(reason) });
      const documents = [user(1), { ...user(2), name: 'a\0b' }, { ...user(3), other: 1 }];
      const array = rawArray(documents.map((document) => serialize(document)));
      const plain = createRowEncoder(userPlan);
      for (let batch = 0; batch < 2; batch++) {
        const expected = plain.encodeBatch(array);
        const found = encoder.encodeBatch(array);
        assert.ok(found.copy.equals(expected.copy));
        assert.deepEqual({ ...found, copy: null }, { ...expected, copy: null });
      }
      assert.deepEqual(reported, ['there is no memory for it']);
    }
  });

  it('finds corrupt arrays as the encoder in TypeScript does', () => {
    const twin = new TwinEncoder(userPlan);
    const array = rawArray([serialize(user(1)), serialize(user(2))]);
    for (let at = 0; at < array.length; at++) {
      for (const byte of [0, 1, 3, 0x7f, 0xff]) {
        const mutated = Buffer.from(array);
        mutated[at] = byte;
        try {
          twin.encodeBatch(mutated);
        } catch (error) {
          if (!(error instanceof BsonError)) throw error;
        }
      }
    }
  });
});
