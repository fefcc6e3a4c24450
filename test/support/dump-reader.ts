/** Reads a dump as a run does, without a run: its documents, and how reading ends. */

import assert from 'node:assert/strict';
import { deserialize, EJSON, serialize, type Document } from 'bson';
import { openDump } from '../../src/source/dump/dump-database.ts';
import type { Source } from '../../src/source/source.ts';
import type { Interval } from '../../src/source/page.ts';
import { listDocuments } from '../../src/bson/cursor.ts';

export interface Reading {
  /** In canonical Extended JSON, in their order. */
  readonly documents: readonly string[];
  readonly pages: number;
  readonly positions: readonly Uint8Array[];
  readonly error: Error | null;
}

const everything: Interval = { after: null, until: null };

/** The only collection of the dump, or the named one. */
export async function openSource(
  path: string,
  collection?: string,
  { db = '', filter }: { readonly db?: string; readonly filter?: Document } = {},
): Promise<Source> {
  const database = await openDump({ path, db, collection: collection ?? '*' });
  const [only] = await database.listCollections();
  return await database.open(collection ?? only?.name ?? '', filter && serialize(filter));
}

export async function readDump(path: string, collection?: string): Promise<Reading> {
  try {
    return await readSource(await openSource(path, collection));
  } catch (error) {
    assert.ok(error instanceof Error);
    return { documents: [], pages: 0, positions: [], error };
  }
}

export async function readSource(source: Source, interval = everything, itemsPerPage = 3): Promise<Reading> {
  const documents: string[] = [];
  const positions: Uint8Array[] = [];
  let error: Error | null = null;
  try {
    for await (const page of source.pages(interval, itemsPerPage)) {
      const found = listDocuments(page.bytes);
      assert.equal(found.length, page.documentCount);
      documents.push(
        ...found.map((document) =>
          EJSON.stringify(deserialize(document, { promoteValues: false }), { relaxed: false }),
        ),
      );
      positions.push(page.last);
    }
  } catch (thrown) {
    assert.ok(thrown instanceof Error);
    error = thrown;
  }
  return { documents, pages: positions.length, positions, error };
}
