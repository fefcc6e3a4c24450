/** A document whose fields have columns: that of a row, or one inside of it that is taken apart. */

import { createExtras, Extras } from './extras';
import { allocate } from './memory';
import { Name, Names } from './names';

@unmanaged
export class Level {
  names: Names;
  /** What of it has no column, in the order of the document. */
  extras: Extras;
  /** What does not fit its column, in the order of these. */
  misfits: Extras;
  /** The number of the last document that has it. */
  document: u32;
  /** Whether anything shows that it is there, and not missing. */
  hasTrace: bool;
  /** Where the current document has its name; of an inner level only. */
  nameStart: usize;
  nameEnd: usize;
  /** The first of those inside, which are in the plan's order. */
  inner: Level | null;
  next: Level | null;

  begin(document: u32): void {
    this.document = document;
    this.hasTrace = false;
    this.extras.clear();
    this.misfits.clear();
  }

  /** Whether the current document has the level inside. */
  has(inner: Level): bool {
    return inner.document === this.document;
  }

  /** How many values are left of it, without those of levels inside. */
  get leftHere(): i32 {
    return this.extras.length - this.extras.dropped + this.misfits.length;
  }

  /** Whether anything is left of it, or of a level inside, in the current document. */
  get isLeft(): bool {
    if (this.leftHere > 0) return true;
    let inner = this.inner;
    while (inner !== null) {
      if (this.has(inner) && inner.isLeft) return true;
      inner = inner.next;
    }
    return false;
  }
}

/** Null when there is no place left. */
export function createLevel(names: Names): Level | null {
  const at = allocate(offsetof<Level>());
  const extras = createExtras();
  const misfits = createExtras();
  if (at === 0 || extras === null || misfits === null) return null;
  const level = changetype<Level>(at);
  level.names = names;
  level.extras = extras;
  level.misfits = misfits;
  return level;
}

/** A document in a field is taken apart as well. Null when there is no place left. */
export function addInner(around: Level, name: Name, names: Names): Level | null {
  const level = createLevel(names);
  if (level === null) return null;
  name.level = level;
  const first = around.inner;
  if (first === null) {
    around.inner = level;
    return level;
  }
  let last: Level = first;
  let next = last.next;
  while (next !== null) {
    last = next;
    next = last.next;
  }
  last.next = level;
  return level;
}
