/** Builds the BSON array that the transcoder reads, from documents or from consecutive elements of another array. */

import { bsonTypes } from './types.ts';

/** A BSON array begins with an int32 length, and ends with a NUL. */
export const arrayHeaderBytes = 4;
export const arrayTerminatorBytes = 1;

/** The type and an empty name. The names in an array would be its indices; nothing reads them. */
const elementPrefix = Buffer.of(bsonTypes.object, 0);

export function arrayOfElements(elements: Uint8Array): Buffer {
  const array = Buffer.alloc(arrayHeaderBytes + elements.byteLength + arrayTerminatorBytes);
  array.writeInt32LE(array.byteLength);
  array.set(elements, arrayHeaderBytes);
  return array;
}

export function arrayOfDocuments(documents: readonly Uint8Array[]): Buffer {
  return arrayOfElements(Buffer.concat(documents.flatMap((document) => [elementPrefix, document])));
}
