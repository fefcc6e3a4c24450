import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deserialize, serialize, type Document } from 'bson';
import { sampleByFind, type FindDocuments } from '../../../../../src/source/mongo/sampling/sample-by-find.ts';
import { rawArray } from '../../../../support/raw-bson.ts';

interface Stored extends Document {
  _id: number | string;
}

/** A collection in `_id` order that understands `{_id: {$gte: …}}`. */
function find(documents: readonly Stored[]): FindDocuments {
  return (filter, direction, limit) => {
    const from = (deserialize(filter)._id as { $gte: unknown } | undefined)?.$gte;
    const found = documents.filter(({ _id }) => from === undefined || Number(_id) >= Number(from));
    const ordered = direction === 1 ? found : found.toReversed();
    return Promise.resolve(rawArray(ordered.slice(0, limit).map((document) => serialize(document))));
  };
}

async function sampleIds(documents: readonly Stored[], size: number) {
  const sample = await sampleByFind(find(documents), size);
  return {
    method: sample.method,
    ids: sample.documents.map((raw) => deserialize(raw)._id as number | string),
  };
}

const numbered = (count: number): Stored[] => Array.from({ length: count }, (_, _id) => ({ _id }));

describe('sampleByFind', () => {
  it('reads from all over a range of numbers', async () => {
    const { method, ids } = await sampleIds(numbered(10_000), 100);
    assert.equal(method, 'spread');
    assert.equal(ids.length, 100);
    const tenths = new Set(ids.map((id) => Math.floor(Number(id) / 1000)));
    assert.equal(tenths.size, 10);
  });

  it('reads no document twice where the parts overlap', async () => {
    const { ids } = await sampleIds(numbered(50), 200);
    assert.equal(new Set(ids).size, ids.length);
    assert.equal(ids.length, 50);
  });

  it('reads the first and the last if an _id has no middle', async () => {
    const documents = numbered(1000).map(({ _id }) => ({ _id: String(_id).padStart(4, '0') }));
    const { method, ids } = await sampleIds(documents, 4);
    assert.equal(method, 'ends');
    assert.deepEqual(ids, ['0000', '0001', '0999', '0998']);
  });

  it('gives no more than requested', async () => {
    assert.equal((await sampleIds(numbered(100), 1)).ids.length, 1);
    assert.equal((await sampleIds(numbered(100), 33)).ids.length, 33);
  });

  it('keeps to a size in bytes, with some of each part', async () => {
    const documents = numbered(200).map(({ _id }) => ({ _id, text: 'x'.repeat(300_000) }));
    const { documents: found } = await sampleByFind(find(documents), 200);
    const ids = found.map((raw) => Number(deserialize(raw)._id));
    assert.ok(found.reduce((total, { byteLength }) => total + byteLength, 0) <= 16_000_000);
    assert.ok(Math.max(...ids) >= 190);
  });

  it('returns nothing for an empty collection', async () => {
    assert.deepEqual(await sampleByFind(find([]), 10), { documents: [], method: 'ends' });
  });
});
