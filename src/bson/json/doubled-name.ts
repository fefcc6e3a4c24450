/** Finds a name that occurs twice in an object. BSON keeps both fields; a JavaScript object would keep only the last. */

import { readFields } from '../raw-value.ts';
import { bsonTypes } from '../types.ts';

/** @param document well-formed BSON. @returns the first such name, at any depth; null if there is none */
export function findDoubledName(document: Buffer, start = 0): string | null {
  const names = new Set<string>();
  for (const { name, type, start: valueStart } of readFields(document, start)) {
    if (names.has(name)) return name;
    names.add(name);
    const isNested = type === bsonTypes.object || type === bsonTypes.array;
    const nested = isNested ? findDoubledName(document, valueStart) : null;
    if (nested !== null) return nested;
  }
  return null;
}
