/** Turns the documents of a batch into rows, one after the other, and comes back for each that it refuses. */

import * as bson from './bson';
import * as codes from '../codes';
import { refused } from './outcome';
import { writeInt16 } from './bytes';
import { beginAll, forgetAll, outermost } from './child';
import { clearCounts, clearPending, countPending } from './extras';
import { openInput, reserve } from './memory';
import * as row from './row';
import { Table } from './row';

let cursor: usize = 0;
let terminator: usize = 0;
/** The number of the current document in the batch, from 0. */
export let ordinal: u32 = 0;

/** The current document. */
export let documentStart: usize = 0;
export let documentEnd: usize = 0;

/** Of the batch's bytes. @returns where they go; 0 when there is no memory */
export function openBatch(size: usize): usize {
  clearCounts();
  cursor = openInput(size);
  terminator = cursor + size - 1;
  ordinal = 0;
  return cursor;
}

/** Looks at what was put there. False if it is no BSON array of just this length. */
export function checkBatch(): bool {
  if (bson.endOfDocument(cursor, terminator + 1) !== terminator + 1) return false;
  cursor += 4;
  return true;
}

/** Encodes one document after the other until something is to be done outside: see `codes.ts`. */
export function run(table: Table, maxRowBytes: usize): i32 {
  while (cursor !== terminator) {
    if (!findDocument()) return codes.batchRefused;
    const outcome = writeDocument(table, maxRowBytes);
    if (outcome !== codes.batchEnded) return outcome;
    skipDocument();
  }
  return codes.batchEnded;
}

/** The document was encoded outside. */
export function skipDocument(): void {
  cursor = documentEnd;
  ordinal++;
}

/** By its length alone. */
function findDocument(): bool {
  if (load<u8>(cursor) !== bson.typeObject) return false;
  const nul = bson.findNul(cursor + 1, terminator);
  const left = ((terminator - nul) as i32) - 1;
  if (left < bson.minDocumentBytes) return false;
  documentStart = nul + 1;
  const length = load<i32>(documentStart);
  if (length < bson.minDocumentBytes || length > left) return false;
  documentEnd = documentStart + length;
  return true;
}

/** Writes all rows of a document, or none. */
function writeDocument(table: Table, maxRowBytes: usize): i32 {
  if (load<u8>(documentEnd - 1) !== 0) return codes.documentRefused;
  const room = table.roomFor(bson.typeObject, documentStart, documentEnd);
  if (room === 0) return codes.documentRefused;
  const output = table.output;
  if (!reserve(output, room)) return codes.memoryRefused;
  clearPending();
  beginAll();
  const start = output.position;
  let out = row.writeColumns(writeInt16(start, table.fieldCount), table, documentStart, documentEnd);
  if (out !== refused) out = writeRest(out, table, maxRowBytes);
  if (out === refused || out - start > maxRowBytes) {
    forgetAll();
    return codes.documentRefused;
  }
  countPending();
  output.keep(out, room);
  return codes.batchEnded;
}

/** What comes after the columns. */
function writeRest(out: usize, table: Table, maxRowBytes: usize): usize {
  if (!outermost.sendOthersToExtra(table)) return refused;
  out = row.writeExtra(out, table, documentStart, documentEnd);
  if (out === refused) return refused;
  return outermost.writeRows(table.document, ordinal, maxRowBytes) ? out : refused;
}
