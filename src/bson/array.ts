/** Makes the BSON array that the transcoder reads out of documents, or of a stretch of another array's elements. */

/** The int32 length that a BSON array begins with, and the NUL that it ends with. */
export const arrayHeaderBytes = 4;
export const arrayTerminatorBytes = 1;

/** Type `document`, and an empty name: names in an array are its indices, which nobody reads. */
const elementPrefix = Buffer.of(0x03, 0x00);

export function arrayOfElements(elements: Uint8Array): Buffer {
  const array = Buffer.alloc(arrayHeaderBytes + elements.byteLength + arrayTerminatorBytes);
  array.writeInt32LE(array.byteLength);
  array.set(elements, arrayHeaderBytes);
  return array;
}

export function arrayOfDocuments(documents: readonly Uint8Array[]): Buffer {
  return arrayOfElements(Buffer.concat(documents.flatMap((document) => [elementPrefix, document])));
}
