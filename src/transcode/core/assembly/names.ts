/** What is known of a field, which is found by the bytes of its name. */

import * as codes from '../codes';
import { emptyArrayBytes, findNul, typeArray } from './bson';
import { Level } from './level';
import { allocate } from './memory';

/** A column of the plan, or an array whose elements have a table of their own, and where the current document has its value. */
@unmanaged
export class Column {
  name: Name;
  /** The document that has the value. */
  level: Level;
  /** See `codes.ts`. */
  kind: i32;
  traits: i32;
  /** Of binary values. */
  subtype: u32;
  style: i32;
  maxJsonBytes: i32;
  /** The precision of a number in decimal, the unit of a timestamp in milliseconds, or how long text may be; 0 if there is none. */
  limit: i32;
  /** Of a number in decimal. */
  scale: i32;
  /** Of an enum. */
  labels: Names | null;
  /** Of an array of PostgreSQL. */
  elementKind: i32;
  elementOid: u32;
  /** Its place in the plan's order. */
  place: i32;
  /** The last document that has the field. If it is not the current one, the current one lacks the field. */
  document: u32;
  type: u32;
  nameStart: usize;
  nameEnd: usize;
  end: usize;

  get start(): usize {
    return this.nameEnd + 1;
  }

  get isId(): bool {
    return (this.traits & codes.columnIsId) !== 0;
  }

  get isElement(): bool {
    return (this.traits & codes.columnIsElement) !== 0;
  }

  get keepsEmpty(): bool {
    return (this.traits & codes.columnKeepsEmpty) !== 0;
  }

  /** Whether what does not fit it may go to the extra column. */
  get mayMove(): bool {
    return (this.traits & ~codes.columnKeepsEmpty) === 0;
  }

  /** An empty array has no row, and nothing else shows it. */
  get losesEmpty(): bool {
    return this.kind === codes.kindArray && !this.keepsEmpty;
  }

  get mayBeNull(): bool {
    return (this.traits & (codes.columnIsId | codes.columnIsRequired)) === 0;
  }

  /** Whether the current document has an empty array there. */
  get isEmptyArray(): bool {
    return this.type === typeArray && this.end - this.start === emptyArrayBytes;
  }

  find(document: u32, type: u32, nameStart: usize, nameEnd: usize, end: usize): void {
    this.document = document;
    this.type = type;
    this.nameStart = nameStart;
    this.nameEnd = nameEnd;
    this.end = end;
  }
}

/** How often values of a type went to the extra column, or to none. */
@unmanaged
export class Count {
  name: Name;
  /** The next one of the same name. */
  next: Count | null;
  type: u32;
  reason: i32;
  count: u32;
}

/** A field name that was met, and what is known of it. */
@unmanaged
export class Name {
  /** Its bytes with the NUL that ends them, and room up to a multiple of eight. */
  bytes: usize;
  /** How many these are, the NUL among them. */
  size: usize;
  /** Covers what belongs to the name in its last eight bytes. */
  lastMask: u64;
  /** The name that last followed this one: documents of a collection usually have the same field order. */
  next: Name | null;
  /** Also of an array whose elements have a table of their own. */
  column: Column | null;
  /** The names inside of it that have columns. */
  nested: Names | null;
  /** Where it is a document, it is taken apart. */
  level: Level | null;
  /** It has no column, and does not go to the extra column either. */
  isDropped: bool;
  /** The last document that had it. */
  document: u32;
  counts: Count | null;

  /** Whether it stands at `start`, and ends before `limit`. */
  isAt(start: usize, limit: usize): bool {
    const size = this.size;
    if (size > limit - start) return false;
    const bytes = this.bytes;
    let at: usize = 0;
    for (; at + 8 < size; at += 8) {
      if (load<u64>(start + at) !== load<u64>(bytes + at)) return false;
    }
    return ((load<u64>(start + at) ^ load<u64>(bytes + at)) & this.lastMask) === 0;
  }
}

/** A hash table with open addressing; names are never removed one by one. */
@unmanaged
export class Names {
  slots: usize;
  mask: u32;
  /** Differs, so that no collection can be made of names that all fall into one slot. */
  seed: u32;
  /** Comes before the first name of a document. */
  head: Name;

  /** The name that begins at `start`; null if it is not known, or does not end before `limit`. */
  find(start: usize, limit: usize): Name | null {
    const end = findNul(start, limit);
    if (end === limit) return null;
    let slot = this.hash(start, end) & this.mask;
    while (true) {
      const name = changetype<Name | null>(load<usize>(this.slots + slot * sizeof<usize>()));
      if (name === null || name.isAt(start, limit)) return name;
      slot = (slot + 1) & this.mask;
    }
  }

  /** FNV-1a: http://www.isthe.com/chongo/tech/comp/fnv/ */
  hash(start: usize, end: usize): u32 {
    let hash = this.seed;
    for (let at = start; at < end; at++) hash = (hash ^ load<u8>(at)) * 0x01000193;
    return hash ^ (hash >> 15);
  }
}

/** Half of the slots stay free. Null when there is no place left. */
export function createNames(capacity: u32, seed: u32): Names | null {
  const slotCount: u32 = 1 << (32 - clz(capacity * 2 + 1));
  const at = allocate(offsetof<Names>());
  const slots = allocate(slotCount * sizeof<usize>());
  const head = allocate(offsetof<Name>());
  if (at === 0 || slots === 0 || head === 0) return null;
  const names = changetype<Names>(at);
  names.slots = slots;
  names.mask = slotCount - 1;
  names.seed = seed;
  names.head = changetype<Name>(head);
  return names;
}

/** Makes place for a name of so many bytes, its NUL among them. Null when there is none left. */
export function createName(size: usize): Name | null {
  const at = allocate(offsetof<Name>());
  const bytes = allocate(size);
  if (at === 0 || bytes === 0) return null;
  const name = changetype<Name>(at);
  name.bytes = bytes;
  name.size = size;
  name.lastMask = u64.MAX_VALUE >> (63 - ((size * 8 - 1) & 63));
  return name;
}

/** To be called once its bytes are there. */
export function addName(names: Names, name: Name): void {
  let slot = names.hash(name.bytes, name.bytes + name.size - 1) & names.mask;
  while (load<usize>(names.slots + slot * sizeof<usize>()) !== 0) slot = (slot + 1) & names.mask;
  store<usize>(names.slots + slot * sizeof<usize>(), changetype<usize>(name));
}
