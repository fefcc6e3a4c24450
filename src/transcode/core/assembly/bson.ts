/** Measures BSON values: each length is checked against the end of its parent before it is trusted. */

// https://bsonspec.org/spec.html
export const typeDouble: u32 = 0x01;
export const typeString: u32 = 0x02;
export const typeObject: u32 = 0x03;
export const typeArray: u32 = 0x04;
export const typeBinary: u32 = 0x05;
export const typeUndefined: u32 = 0x06;
export const typeObjectId: u32 = 0x07;
export const typeBool: u32 = 0x08;
export const typeDate: u32 = 0x09;
export const typeNull: u32 = 0x0a;
export const typeRegex: u32 = 0x0b;
export const typeDbPointer: u32 = 0x0c;
export const typeCode: u32 = 0x0d;
export const typeSymbol: u32 = 0x0e;
export const typeInt: u32 = 0x10;
export const typeTimestamp: u32 = 0x11;
export const typeLong: u32 = 0x12;
export const typeDecimal: u32 = 0x13;
export const typeMaxKey: u32 = 0x7f;
export const typeMinKey: u32 = 0xff;

const subtypeOld: u32 = 2;
export const subtypeUuid: u32 = 4;

/** An int32 length, and the NUL that ends a document. */
export const minDocumentBytes: i32 = 5;
export const emptyArrayBytes: usize = 5;

/**
 * The position of the first NUL from `start` on; `limit` if there is none before it. Reads up to 15 bytes beyond `limit`.
 */
export function findNul(start: usize, limit: usize): usize {
  const nul = i8x16.splat(0);
  for (let at = start; at < limit; at += 16) {
    const mask = i8x16.bitmask(i8x16.eq(v128.load(at), nul));
    if (mask !== 0) return min(at + ctz(mask), limit);
  }
  return limit;
}

/** Where the document ends; 0 if it is malformed or ends beyond `limit`. */
export function endOfDocument(start: usize, limit: usize): usize {
  const left = (limit - start) as i32;
  if (left < minDocumentBytes) return 0;
  const length = load<i32>(start);
  if (length < minDocumentBytes || length > left) return 0;
  const end = start + length;
  return load<u8>(end - 1) === 0 ? end : 0;
}

function endOfString(start: usize, limit: usize): usize {
  const left = (limit - start) as i32;
  if (left < 5) return 0;
  const length = load<i32>(start);
  if (length < 1 || length > left - 4) return 0;
  const end = start + 4 + length;
  return load<u8>(end - 1) === 0 ? end : 0;
}

function endOfBinary(start: usize, limit: usize): usize {
  const left = (limit - start) as i32;
  if (left < 5) return 0;
  const length = load<i32>(start);
  if (length < 0 || length > left - 5) return 0;
  // This subtype repeats its length inside.
  if (load<u8>(start + 4) === subtypeOld && (length < 4 || load<i32>(start + 5) !== length - 4)) return 0;
  return start + 5 + length;
}

function endOfRegex(start: usize, limit: usize): usize {
  const pattern = findNul(start, limit);
  if (pattern === limit) return 0;
  const options = findNul(pattern + 1, limit);
  return options === limit ? 0 : options + 1;
}

function endOfFixed(size: i32, start: usize, limit: usize): usize {
  return size > ((limit - start) as i32) ? 0 : start + size;
}

/** Where the value at `start` ends; 0 if it is malformed, ends beyond `limit`, or is code with a scope, which is rare. */
export function endOfValue(type: u32, start: usize, limit: usize): usize {
  switch (type) {
    case typeString:
    case typeCode:
    case typeSymbol:
      return endOfString(start, limit);
    case typeInt:
      return endOfFixed(4, start, limit);
    case typeDouble:
    case typeDate:
    case typeLong:
    case typeTimestamp:
      return endOfFixed(8, start, limit);
    case typeObjectId:
      return endOfFixed(12, start, limit);
    case typeDecimal:
      return endOfFixed(16, start, limit);
    case typeBool:
      return start < limit && load<u8>(start) <= 1 ? start + 1 : 0;
    case typeObject:
    case typeArray:
      return endOfDocument(start, limit);
    case typeNull:
    case typeUndefined:
    case typeMinKey:
    case typeMaxKey:
      return start;
    case typeBinary:
      return endOfBinary(start, limit);
    case typeRegex:
      return endOfRegex(start, limit);
    case typeDbPointer: {
      const id = endOfString(start, limit);
      return id === 0 ? 0 : endOfFixed(12, id, limit);
    }
    default:
      return 0;
  }
}

/** Where the bytes of a binary value begin, after its length and its subtype. */
export function contentOfBinary(start: usize): usize {
  return start + (load<u8>(start + 4) === subtypeOld ? 9 : 5);
}
