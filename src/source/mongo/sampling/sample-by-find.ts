/** A sample of a collection on a server that cannot choose at random: from all over the `_id` range, or from its ends. */

import { buildDocument, objectOf } from '../../../bson/build.ts';
import { requireId } from '../documents.ts';
import type { Sample, SampleMethod } from '../../source.ts';
import { spreadIds } from './spread-ids.ts';
import { listDocuments } from '../../../bson/cursor.ts';

/** Reads by a filter, a BSON document, in the order of `_id` or its reverse; gives the bytes of a BSON array of documents. */
export type FindDocuments = (filter: Uint8Array, direction: 1 | -1, limit: number) => Promise<Uint8Array>;

/** Enough that no part of a collection is far from one, and few enough queries to be quick. */
const maxPoints = 20;

interface Part {
  readonly filter: Uint8Array;
  readonly direction: 1 | -1;
}

/** What one reply of the server holds at most; a sample is not larger than one of `$sample` would be. */
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

/** For itself: where each query takes long. */
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
  // By `_id`: the parts overlap where documents are few.
  const documents = new Map<string, Uint8Array>();
  for (const { filter, direction } of parts) {
    const found = listDocuments(await find(filter, direction, Math.ceil(size / parts.length)));
    for (const document of upTo(maxSampleBytes / parts.length, found)) {
      // A copy, so that it does not keep the whole reply in memory.
      documents.set(Buffer.from(requireId(document)).toString('latin1'), Uint8Array.from(document));
    }
  }
  return { documents: [...documents.values()].slice(0, size), method };
}

/** The first document in any case, and as many more as fit. */
function upTo(bytes: number, documents: readonly Uint8Array[]): Uint8Array[] {
  let total = 0;
  return documents.filter((document, index) => {
    total += document.byteLength;
    return index === 0 || total <= bytes;
  });
}
