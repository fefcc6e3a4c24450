/** Makes the BSON array that the transcoder reads out of documents, or of a stretch of another array's elements. */

/** The int32 length that a BSON array begins with, and the NUL that it ends with. */
export const ARRAY_HEADER_BYTES = 4;
export const ARRAY_TERMINATOR_BYTES = 1;

/** Type `document`, and an empty name: names in an array are its indices, which nobody reads. */
const ELEMENT_PREFIX = Buffer.of(0x03, 0x00);

export function arrayOfElements(elements: Uint8Array): Buffer {
  const array = Buffer.alloc(ARRAY_HEADER_BYTES + elements.byteLength + ARRAY_TERMINATOR_BYTES);
  array.writeInt32LE(array.byteLength);
  array.set(elements, ARRAY_HEADER_BYTES);
  return array;
}

export function arrayOfDocuments(documents: readonly Uint8Array[]): Buffer {
  return arrayOfElements(Buffer.concat(documents.flatMap((document) => [ELEMENT_PREFIX, document])));
}
