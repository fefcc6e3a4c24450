/** Two ways to read the documents of some filters page by page: by a command for each page, or by one cursor. */

import { Long } from 'mongodb';
import { DocumentCursor, findField } from '../../bson/cursor.ts';
import { readBatch, requireId } from './documents.ts';
import type { Page } from '../page.ts';

/** What `RawCommands` has for it; filters are BSON documents, and each gives the `cursor` of the reply, as BSON. */
export interface CursorCommands {
  find(filter: Uint8Array, direction: 1 | -1, limit: number): Promise<Uint8Array>;
  openCursor(filter: Uint8Array, batchSize: number): Promise<Uint8Array>;
  getMore(cursorId: Long, batchSize: number): Promise<Uint8Array>;
  killCursor(cursorId: Long): Promise<void>;
}

export interface Paging {
  /**
   * The next page; null when there is none.
   * @param filters what is still to be read, as `filtersBetween` gives it for the `_id` of the last page
   */
  read(filters: readonly Uint8Array[], limit: number): Promise<Page | null>;
  /** To be called when no more pages are wanted. */
  close(): Promise<void>;
}

/** A page is a command of its own: nothing that times out between pages, nothing lost at a failover. */
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
 * One cursor for all pages of a filter, for servers that would read the whole collection for each page. After an error
 * the next page comes from a new cursor, by the filters of that moment. Not for mongod, which wants a cursor's commands in
 * the session and on the member that opened it, as `command` of the driver does not promise.
 */
export function pageByCursor(commands: CursorCommands): Paging {
  let open: { readonly filters: readonly Uint8Array[]; readonly cursorId: Long } | null = null;
  return {
    async read(filters, limit) {
      let rest = open?.filters ?? filters;
      let cursorId = open?.cursorId ?? Long.ZERO;
      // Until the page is here: what an error leaves behind must not be gone on with.
      open = null;
      for (let filter = rest[0]; filter !== undefined; filter = rest[0]) {
        const cursor = cursorId.isZero()
          ? await commands.openCursor(filter, limit)
          : await commands.getMore(cursorId, limit);
        cursorId = cursorIdOf(cursor);
        // Only the server's word ends a filter: a batch may be short or empty before.
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

/** @param cursor the `cursor` of a reply; zero when it has no more than this batch */
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
