/** Samples a collection on a server without `$sample`: from points across the `_id` range, or from its two ends. */

import { buildDocument, objectOf } from '../../../bson/build.ts';
import { requireId } from '../documents.ts';
import type { Sample, SampleMethod } from '../../source.ts';
import { spreadIds } from './spread-ids.ts';
import { listDocuments } from '../../../bson/cursor.ts';

/** Finds by a filter (a BSON document) in the order of `_id` or the reverse. Returns a BSON array of documents. */
export type FindDocuments = (filter: Uint8Array, direction: 1 | -1, limit: number) => Promise<Uint8Array>;

/** Enough to cover all parts of a collection, and few enough queries to be fast. */
const maxPoints = 20;

interface Part {
  readonly filter: Uint8Array;
  readonly direction: 1 | -1;
}

/** The limit of one reply, so that a sample is not larger than one of `$sample`. */
const maxSampleBytes = 16_000_000;

const everything = buildDocument();

export async function sampleByFind(find: FindDocuments, size: number): Promise<Sample> {
  const [first] = listDocuments(await find(everything, 1, 1));
  const [last] = listDocuments(await find(everything, -1, 1));
  if (first === undefined || last === undefined) return { documents: [], method: 'ends' };
  const points = spreadIds(requireId(first), requireId(last), Math.min(maxPoints, size));
  if (points === null) return await sampleEnds(find, size);
  const parts = points.map((id): Part => ({
    filter: buildDocument(['_id', objectOf(['$gte', id])]),
    direction: 1,
  }));
  return await takeParts(find, size, parts, 'spread');
}

/** Also used alone, if each query is slow. */
export function sampleEnds(find: FindDocuments, size: number): Promise<Sample> {
  const ends: Part[] = [
    { filter: everything, direction: 1 },
    { filter: everything, direction: -1 },
  ];
  return takeParts(find, size, ends, 'ends');
}

async function takeParts(
  find: FindDocuments,
  size: number,
  parts: readonly Part[],
  method: SampleMethod,
): Promise<Sample> {
  // By `_id`, because the parts overlap if there are few documents.
  const documents = new Map<string, Uint8Array>();
  for (const { filter, direction } of parts) {
    const found = listDocuments(await find(filter, direction, Math.ceil(size / parts.length)));
    for (const document of upTo(maxSampleBytes / parts.length, found)) {
      // A copy, because a view would keep the whole reply in memory.
      documents.set(Buffer.from(requireId(document)).toString('latin1'), Uint8Array.from(document));
    }
  }
  return { documents: [...documents.values()].slice(0, size), method };
}

/** The first document, and as many more as fit. */
function upTo(bytes: number, documents: readonly Uint8Array[]): Uint8Array[] {
  let total = 0;
  return documents.filter((document, index) => {
    total += document.byteLength;
    return index === 0 || total <= bytes;
  });
}
