/** Finds a name that an object has twice: in BSON both fields are there, and an object of JavaScript has the last alone. */

import { BsonType, readFields } from '../match/bson-view.ts';

/** @param document well-formed BSON. @returns the first such name, at any depth; null where there is none */
export function findDoubledName(document: Buffer, start = 0): string | null {
  const names = new Set<string>();
  for (const { name, type, start: valueStart } of readFields(document, start)) {
    if (names.has(name)) return name;
    names.add(name);
    const isNested = type === BsonType.object || type === BsonType.array;
    const nested = isNested ? findDoubledName(document, valueStart) : null;
    if (nested !== null) return nested;
  }
  return null;
}
