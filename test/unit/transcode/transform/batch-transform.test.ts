import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { deserialize, serialize, type Document } from 'bson';
import { arrayOfDocuments } from '../../../../src/bson/array.ts';
import { listDocuments } from '../../../../src/bson/cursor.ts';
import type { FieldChange, Plan } from '../../../../src/transcode/plan.ts';
import { createBatchTransform } from '../../../../src/transcode/transform/batch-transform.ts';
import { openTransform } from '../../../../src/transcode/transform/transform-file.ts';
import { ModuleFiles } from '../../../support/module-files.ts';

const place: Plan = { collection: 'a.b', schema: 'public', table: 'b', columns: [], extraColumn: '_extra' };

describe('a transformed batch', () => {
  let modules: ModuleFiles;
  before(async () => {
    modules = await ModuleFiles.create();
  });
  after(async () => {
    await modules.remove();
  });

  async function transform(
    text: string,
    documents: readonly Document[],
    more: Partial<Plan> = {},
    timeoutMs = 30_000,
  ) {
    const file = await openTransform(await modules.write('transform.mjs', text));
    const batch = await createBatchTransform({ ...place, transform: file, ...more }, timeoutMs);
    const { bytes, deadLetters, ...rest } = await batch.transform(
      arrayOfDocuments(documents.map((document) => serialize(document))),
    );
    return {
      ...rest,
      results: listDocuments(bytes).map((document) => deserialize(document)),
      letters: deadLetters.map(({ ordinal, reason, id }) => ({ ordinal, reason, id })),
    };
  }

  it('has the document of each result', async () => {
    const text = `export default ({ _id }) =>
      _id === 2 ? null : _id === 3 ? [] : _id === 4 ? [{ _id: 40 }, { _id: 41 }] : { _id };`;
    assert.deepEqual(
      await transform(
        text,
        [1, 2, 3, 4, 5].map((_id) => ({ _id })),
      ),
      {
        sources: [0, 3, 3, 4],
        documentCount: 5,
        dropped: [1, 2],
        results: [{ _id: 1 }, { _id: 40 }, { _id: 41 }, { _id: 5 }],
        letters: [],
      },
    );
  });

  it('continues after a document whose transform does not end, which is named', async () => {
    const text = `export default (document) => { while (document._id === 2); return document; };`;
    const { results, letters } = await transform(
      text,
      [1, 2, 3].map((_id) => ({ _id })),
      {},
      50,
    );
    assert.deepEqual(results, [{ _id: 1 }, { _id: 3 }]);
    assert.deepEqual(letters, [{ ordinal: 1, reason: 'transform_timeout', id: '{"$numberInt":"2"}' }]);
  });

  it('yields to the event loop during a long call', async () => {
    const text = `export default (document) => { const end = Date.now() + 60; while (Date.now() < end); return document; };`;
    let turns = 0;
    const timer = setInterval(() => turns++, 10);
    await transform(
      text,
      Array.from({ length: 10 }, (_, _id) => ({ _id })),
    );
    clearInterval(timer);
    assert.ok(turns >= 3, `${turns} turns`);
  });

  it('passes the collection, the table and js-bson', async () => {
    const text = `export default (document, { collection, table, bson }) =>
      ({ ...document, collection, table, long: bson.Long.fromNumber(1) });`;
    const { results } = await transform(text, [{ _id: 1 }]);
    assert.deepEqual(results, [{ _id: 1, collection: 'a.b', table: 'b', long: 1 }]);
  });

  it('allows only one document with the same _id while changes are followed', async () => {
    const text = `export default (document) => {
      switch (document._id) {
        case 1: return { ...document, n: 1 };
        case 2: return [document];
        case 3: return null;
        case 4: return { ...document, _id: 5 };
        case 5: return [document, { _id: 50 }];
        default: return { n: 1 };
      }
    };`;
    const transformFile = await openTransform(await modules.write('followed.mjs', text));
    const { results, letters, dropped } = await transform(
      text,
      [1, 2, 3, 4, 5, 6].map((_id) => ({ _id })),
      {
        transform: { ...transformFile, keepsId: true },
      },
    );
    assert.deepEqual(results, [{ _id: 1, n: 1 }, { _id: 2 }]);
    assert.deepEqual(dropped, [2]);
    assert.deepEqual(
      letters.map(({ ordinal, reason }) => [ordinal, reason]),
      [
        [3, 'transform_id'],
        [4, 'transform_id'],
        [5, 'transform_id'],
      ],
    );
  });

  it('keeps the order of names in an _id, which an object does not', async () => {
    const text = 'export default (document) => ({ ...document, n: 1 });';
    const file = await openTransform(await modules.write('order.mjs', text));
    const batch = await createBatchTransform({ ...place, transform: { ...file, keepsId: true } }, 30_000);
    const id = new Map([
      ['z', 1],
      ['7', 2],
    ]);
    const { bytes, deadLetters } = await batch.transform(
      arrayOfDocuments([serialize(new Map([['_id', id]]))]),
    );
    assert.deepEqual(deadLetters, []);
    const expected = serialize(
      new Map<string, unknown>([
        ['_id', id],
        ['n', 1],
      ]),
    );
    assert.deepEqual(Buffer.from(listDocuments(bytes)[0] ?? []), Buffer.from(expected));
  });

  it('changes fields of what the function returns', async () => {
    const changes: FieldChange[] = [{ path: ['name'], change: { kind: 'lowercase' } }];
    const text = `export default (document) => [document, { _id: 9, name: 'ÄB' }];`;
    const { results } = await transform(text, [{ _id: 1, name: 'Ada' }], { changes });
    assert.deepEqual(results, [
      { _id: 1, name: 'ada' },
      { _id: 9, name: 'äb' },
    ]);
  });
});
