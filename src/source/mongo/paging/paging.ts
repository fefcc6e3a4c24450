/** Two ways to read the documents of some filters page by page: one command per page, or one cursor. */

import { Long } from 'mongodb';
import { DocumentCursor, findField } from '../../../bson/cursor.ts';
import { readBatch, requireId } from '../documents.ts';
import type { Page } from '../../page.ts';

/** The commands of `RawCommands` that paging needs. Filters are BSON documents; results are the `cursor` of the reply, as BSON. */
export interface CursorCommands {
  find(filter: Uint8Array, direction: 1 | -1, limit: number): Promise<Uint8Array>;
  openCursor(filter: Uint8Array, batchSize: number): Promise<Uint8Array>;
  getMore(cursorId: Long, batchSize: number): Promise<Uint8Array>;
  killCursor(cursorId: Long): Promise<void>;
}

export interface Paging {
  /**
   * The next page; null if there is none.
   * @param filters the unread part: the result of `filtersBetween` for the `_id` of the last page
   */
  read(filters: readonly Uint8Array[], limit: number): Promise<Page | null>;
  /** Call it when no more pages are needed. */
  close(): Promise<void>;
}

/** One command per page: no cursor can time out between pages, or be lost in a failover. */
export function pageByFind(commands: CursorCommands): Paging {
  return {
    async read(filters, limit) {
      for (const filter of filters) {
        const page = pageOf(await commands.find(filter, 1, limit));
        if (page !== null) return page;
      }
      return null;
    },
    close: () => Promise.resolve(),
  };
}

/**
 * One cursor for all pages of a filter, for servers that would scan the whole collection for each page. After an error, the
 * next page comes from a new cursor, with the current filters. Not for mongod: it needs a cursor's commands in the session
 * and on the member that opened it, which the driver's `command` does not guarantee.
 */
export function pageByCursor(commands: CursorCommands): Paging {
  let open: { readonly filters: readonly Uint8Array[]; readonly cursorId: Long } | null = null;
  return {
    async read(filters, limit) {
      let rest = open?.filters ?? filters;
      let cursorId = open?.cursorId ?? Long.ZERO;
      // Cleared until the page has arrived, so that a cursor is not reused after an error.
      open = null;
      for (let filter = rest[0]; filter !== undefined; filter = rest[0]) {
        const cursor = cursorId.isZero()
          ? await commands.openCursor(filter, limit)
          : await commands.getMore(cursorId, limit);
        cursorId = cursorIdOf(cursor);
        // Only a cursor id of zero is the end: earlier batches may be short or empty.
        if (cursorId.isZero()) rest = rest.slice(1);
        const page = pageOf(cursor);
        if (page === null) continue;
        open = { filters: rest, cursorId };
        return page;
      }
      open = { filters: [], cursorId };
      return null;
    },
    async close() {
      const cursorId = open?.cursorId ?? Long.ZERO;
      open = null;
      if (!cursorId.isZero()) await commands.killCursor(cursorId);
    },
  };
}

/** @param cursor the `cursor` of a reply. @returns zero if this batch is the last */
export function cursorIdOf(cursor: Uint8Array): Long {
  const id = findField(cursor, 'id');
  return id === null ? Long.ZERO : Long.fromBytesLE([...cursor.subarray(id.valueStart, id.valueEnd)]);
}

function pageOf(cursor: Uint8Array): Page | null {
  const bytes = readBatch(cursor);
  const document = new DocumentCursor(bytes);
  let documentCount = 0;
  while (document.next()) documentCount++;
  if (documentCount === 0) return null;
  return { bytes, documentCount, last: requireId(bytes.subarray(document.start, document.end)) };
}
