/**
 * The documents that were read last. They show whether a collection is still the same if the server has no UUIDs. Some of
 * them may be deleted at any time; if all are missing so soon, it is another collection.
 */

import { SourceChangedError } from '../../common/errors.ts';
import { requireId } from './documents.ts';
import type { Page } from '../page.ts';
import { listDocuments } from '../../bson/cursor.ts';

const keptIds = 10;
const idsOfPage = 5;
/** If there are fewer, all of them may have been deleted one by one. */
const minIds = 5;

export class RecentDocuments {
  #ids: readonly Uint8Array[] = [];

  /** Call it for every page, of any reader. */
  add({ bytes, documentCount }: Page): void {
    const all = listDocuments(bytes);
    const step = Math.max(1, (documentCount - 1) / (idsOfPage - 1));
    const chosen = all.filter(
      (_, index) => index === 0 || Math.floor(index / step) > Math.floor((index - 1) / step),
    );
    this.#ids = [...this.#ids, ...chosen.map(requireId)].slice(-keptIds);
  }

  /** @throws SourceChangedError if none exists any more */
  requireAny(name: string, isThere: (id: Uint8Array) => Promise<boolean>): Promise<void> {
    return requireAnyOf(this.#ids, name, isThere);
  }
}

/**
 * @param ids of documents that were read; too few prove nothing
 * @throws SourceChangedError if none exists any more
 */
export async function requireAnyOf(
  ids: readonly Uint8Array[],
  name: string,
  isThere: (id: Uint8Array) => Promise<boolean>,
): Promise<void> {
  if (ids.length < minIds) return;
  for (const id of ids) {
    if (await isThere(id)) return;
  }
  throw new SourceChangedError(`none of the last documents read from ${name} exists any more`, {
    code: 'SOURCE_REPLACED',
    fix: 'if the collection was dropped and recreated, start from scratch with --restart.',
  });
}
