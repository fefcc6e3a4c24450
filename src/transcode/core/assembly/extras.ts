/** What of the current document goes to the extra column, or to none, and how often that was so. */

import * as codes from '../codes';
import { allocate } from './memory';
import { Count, Name } from './names';

/** A document with more is rare. */
const maxExtras: i32 = 256;

@unmanaged
class Extra {
  type: u32;
  reason: i32;
  nameStart: usize;
  nameEnd: usize;
  end: usize;
  count: Count;
}

/** A list that is used again for each document. */
@unmanaged
export class Extras {
  items: usize;
  length: i32;
  /** How many of these are dropped. */
  dropped: i32;

  at(index: i32): Extra {
    return changetype<Extra>(this.items + index * offsetof<Extra>());
  }

  clear(): void {
    this.length = 0;
    this.dropped = 0;
  }

  /** False when they are too many. */
  add(name: Name, type: u32, reason: i32, nameStart: usize, nameEnd: usize, end: usize): bool {
    if (this.length === maxExtras) return false;
    const count = findCount(name, type, reason);
    if (count === null) return false;
    const extra = this.at(this.length++);
    extra.type = type;
    extra.reason = reason;
    extra.nameStart = nameStart;
    extra.nameEnd = nameEnd;
    extra.end = end;
    extra.count = count;
    if (reason === codes.reasonDropped) this.dropped++;
    return true;
  }
}

/** Null when there is no place left. */
export function createExtras(): Extras | null {
  const at = allocate(offsetof<Extras>());
  const items = allocate(maxExtras * offsetof<Extra>());
  if (at === 0 || items === 0) return null;
  const extras = changetype<Extras>(at);
  extras.items = items;
  return extras;
}

const maxCounts: i32 = 4096;
const counts: usize = memory.data(maxCounts * sizeof<usize>());
let countCount: i32 = 0;

function findCount(name: Name, type: u32, reason: i32): Count | null {
  let known = name.counts;
  while (known !== null) {
    if (known.type === type && known.reason === reason) return known;
    known = known.next;
  }
  if (countCount === maxCounts) return null;
  const at = allocate(offsetof<Count>());
  if (at === 0) return null;
  const count = changetype<Count>(at);
  count.name = name;
  count.type = type;
  count.reason = reason;
  count.next = name.counts;
  name.counts = count;
  store<usize>(counts + countCount++ * sizeof<usize>(), at);
  return count;
}

/** Counted once the document is known to have a row: those of all its elements as well. */
const maxPending: i32 = 65_536;
const pending: usize = memory.data(maxPending * sizeof<usize>());
let pendingCount: i32 = 0;

/** Forgets what was not counted. */
export function clearPending(): void {
  pendingCount = 0;
}

/** False when they are too many. */
export function addPending(extras: Extras): bool {
  if (extras.length > maxPending - pendingCount) return false;
  for (let i = 0; i < extras.length; i++) {
    store<usize>(pending + pendingCount++ * sizeof<usize>(), changetype<usize>(extras.at(i).count));
  }
  return true;
}

export function countPending(): void {
  for (let i = 0; i < pendingCount; i++) {
    changetype<Count>(load<usize>(pending + i * sizeof<usize>())).count++;
  }
  pendingCount = 0;
}

/** What was counted in a batch that is encoded outside after all is counted there. */
export function clearCounts(): void {
  for (let index = 0; index < countCount; index++) countAt(index).count = 0;
}

/** So many counts there are, from 0 on. */
export function countsLength(): i32 {
  return countCount;
}

export function countAt(index: i32): Count {
  return changetype<Count>(load<usize>(counts + index * sizeof<usize>()));
}
