/**
 * Where everything lies: first what the plan needs, which only grows, then the batch's bytes, then what is written, one
 * region after the other. A region that grows moves those behind it; memory is taken in pages, and never given back.
 */

/** For tables, columns, names and counts; of memory that is not touched the system gives none. */
const planBytes: usize = 1 << 23;
/** What may be read or written beyond an end: 16 bytes at a time, twice that in hexadecimal digits. */
const slackBytes: usize = 64;
const pageBytes: usize = 65536;
/** Half of what addresses reach, so that no sum of two overflows. */
const maxEnd: usize = 1 << 31;
/** Of a region at the start. */
const firstBytes: usize = 64 * 1024;

const planEnd: usize = __heap_base + planBytes;
let allocated: usize = __heap_base;

/** Zeros that stay; 0 when there is no place left, so that the plan or the document is refused. */
export function allocate(size: usize): usize {
  const aligned = (size + 7) & ~7;
  if (aligned > planEnd - allocated) return 0;
  const at = allocated;
  allocated += aligned;
  return at;
}

@unmanaged
export class Region {
  /** Its place among the regions. */
  index: i32;
  start: usize;
  /** Where what was written ends. */
  position: usize;
  limit: usize;

  /** Of what was written. */
  get length(): usize {
    return this.position - this.start;
  }

  set length(length: usize) {
    this.position = this.start + length;
  }

  /** Keeps what was written up to `position`. What is more than was reserved has been written over something else. */
  keep(position: usize, reserved: usize): void {
    if (position - this.position > reserved) unreachable();
    this.position = position;
  }

  move(by: usize): void {
    this.start += by;
    this.position += by;
    this.limit += by;
  }
}

/** A table has one, a child table two. */
const maxRegions: i32 = 256;
const regions: usize = memory.data(maxRegions * sizeof<usize>());
let regionCount: i32 = 0;

function regionAt(index: i32): Region {
  return changetype<Region>(load<usize>(regions + index * sizeof<usize>()));
}

const inputStart: usize = (planEnd + 15) & ~15;
let inputLimit: usize = inputStart + firstBytes;
/** Where the last region ends. */
let end: usize = inputLimit;

/** Null when there are too many, or there is no memory. */
export function createRegion(): Region | null {
  const at = allocate(offsetof<Region>());
  if (at === 0 || regionCount === maxRegions) return null;
  const region = changetype<Region>(at);
  region.index = regionCount;
  region.start = end;
  region.position = end;
  if (!extendBy(firstBytes)) return null;
  region.limit = end;
  store<usize>(regions + regionCount++ * sizeof<usize>(), at);
  return region;
}

/** Makes room for a batch's bytes, and forgets what was written. Returns where they go; 0 when there is no memory. */
export function openInput(size: usize): usize {
  const limit = inputStart + roundUp(size + slackBytes);
  const added = limit > inputLimit ? limit - inputLimit : 0;
  if (!extendBy(added)) return 0;
  inputLimit += added;
  for (let index = 0; index < regionCount; index++) {
    const region = regionAt(index);
    region.move(added);
    region.position = region.start;
  }
  return inputStart;
}

/** Makes room for `size` bytes after the region's position. False if there is no memory. */
export function reserve(region: Region, size: usize): bool {
  const needed = region.position + size + slackBytes;
  if (needed <= region.limit) return true;
  // At least twice as much, so that not every document moves what lies behind.
  const added = max(roundUp(needed - region.limit), region.limit - region.start);
  const behind = end - region.limit;
  if (!extendBy(added)) return false;
  memory.copy(region.limit + added, region.limit, behind);
  region.limit += added;
  for (let index = region.index + 1; index < regionCount; index++) regionAt(index).move(added);
  return true;
}

function roundUp(size: usize): usize {
  return (size + firstBytes - 1) & ~(firstBytes - 1);
}

function extendBy(added: usize): bool {
  if (added > maxEnd - end) return false;
  const missing = (((end + added + pageBytes - 1) / pageBytes) as i32) - memory.size();
  if (missing > 0 && memory.grow(missing) < 0) return false;
  end += added;
  return true;
}

// Without memory for the plan there is no core, which the host hears as an error.
if (!extendBy(0)) unreachable();
