/** The documents of a soak: flat ones, or with arrays inside by one of several plans. */

import type { Collection } from 'mongodb';
import pg from 'pg';
import type { Random } from '../../src/common/random.ts';
import { makeShape, shapeNames } from '../../test/support/followed-shapes.ts';
import {
  changeNestedDocuments,
  makeNestedThing,
  makeSoundThing,
  type NestedThing,
} from '../../test/support/nested-documents.ts';
import { assertReassembled, listLetters } from '../../test/support/reassembled-tables.ts';
import { requireEqualTable } from './outcome.ts';
import { changeThings, type Thing } from './writer.ts';

export const subjects = ['flat', ...shapeNames] as const;

export type SubjectName = (typeof subjects)[number];

export interface Subject {
  /** Of the command that follows. */
  readonly env: Readonly<Record<string, string>>;
  fill(count: number): Promise<void>;
  change(): Promise<void>;
  /** Fixes documents that cannot become rows, so that it can be cut over. */
  heal(): Promise<void>;
  /** @throws when anything differs */
  requireEqual(postgresUrl: string): Promise<void>;
}

/** @param folder for the files that it needs */
export async function makeSubject(
  name: SubjectName,
  collection: Collection,
  random: Random,
  folder: string,
): Promise<Subject> {
  return name === 'flat' ? makeFlat(collection, random) : await makeNested(name, collection, random, folder);
}

function makeFlat(collection: Collection, random: Random): Subject {
  const things = collection as unknown as Collection<Thing>;
  const ids = { next: 0 };
  return {
    env: {},
    fill: async (count) => {
      ids.next = count;
      await things.insertMany(
        Array.from({ length: count }, (_, _id) => ({ _id, text: `text ${_id}`, n: _id % 7 })),
      );
    },
    change: () => changeThings(things, random, ids),
    heal: () => Promise.resolve(),
    requireEqual: (url) => requireEqualTable(collection, url),
  };
}

async function makeNested(
  name: (typeof shapeNames)[number],
  collection: Collection,
  random: Random,
  folder: string,
): Promise<Subject> {
  const { env, expect } = await makeShape(name, folder, collection.collectionName);
  const things = collection as unknown as Collection<NestedThing>;
  const ids = { next: 0 };
  return {
    env,
    fill: async (count) => {
      ids.next = count;
      await things.insertMany(Array.from({ length: count }, (_, _id) => makeNestedThing(random, _id)));
    },
    change: () => changeNestedDocuments(things, random, ids),
    heal: async () => {
      for (const id of await listLetters(collection, expect)) {
        const _id = id as number;
        if (random.chance(0.3)) await things.deleteOne({ _id });
        else await things.replaceOne({ _id }, makeSoundThing(random, _id));
      }
    },
    requireEqual: async (url) => {
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      try {
        await assertReassembled(collection, client, expect);
      } finally {
        await client.end();
      }
    },
  };
}
