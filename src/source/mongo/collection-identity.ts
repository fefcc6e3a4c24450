/**
 * Checks that a collection is still the one that was opened. One that was dropped, renamed or emptied looks like one that is
 * read to its end; a new one of the same name looks like its continuation.
 */

import type { Db } from 'mongodb';
import { SourceChangedError } from '../../common/errors.ts';
import { collectionIdOf, findCollection, findNameOf } from './list-collections.ts';
import { MemberBehindError } from './mongo-errors.ts';
import { RawCommands } from './raw-commands.ts';
import { listDocuments } from '../../bson/cursor.ts';

export class CollectionIdentity {
  /** The collection's UUID, as text. Null if the server has none: then any collection of the name counts as the same. */
  readonly id: string | null;
  readonly #db: Db;
  readonly #collection: string;

  constructor(db: Db, collection: string, id: string | null) {
    this.#db = db;
    this.#collection = collection;
    this.id = id;
  }

  /** @throws SourceChangedError if the name no longer exists, or is that of another collection */
  requireSame(): Promise<void> {
    return this.#require((db) => this.#findOther(db));
  }

  /** @throws SourceChangedError also if it is empty now (an empty collection would not have been opened) */
  requireSameAndFilled(): Promise<void> {
    return this.#require(async (db) => (await this.#findOther(db)) ?? (await this.#findEmpty(db)));
  }

  /** @param find returns the change of the collection, as one member of the set knows it; null if there is none */
  async #require(find: (db: Db) => Promise<SourceChangedError | null>): Promise<void> {
    const change = await find(this.#db);
    if (change === null) return;
    const { client, databaseName, readPreference } = this.#db;
    if (readPreference.mode === 'primary') throw change;
    // A secondary may be behind the member that replied before.
    const knowing = client.db(databaseName, { readPreference: 'primaryPreferred' });
    throw (await find(knowing)) ?? new MemberBehindError(`a secondary is behind: ${change.message}`);
  }

  async #findOther(db: Db): Promise<SourceChangedError | null> {
    const found = await findCollection(db, this.#collection);
    const isSame = found !== undefined && collectionIdOf(found) === this.id;
    if (isSame && (found.type ?? 'collection') === 'collection') return null;
    const name = `${db.databaseName}.${this.#collection}`;
    const newName = this.id === null ? undefined : await findNameOf(db, this.id);
    if (newName !== undefined) {
      const another = found === undefined ? '' : ', and another one has its name';
      return new SourceChangedError(
        `the collection ${name} was renamed to ${newName} while it was read${another}`,
        {
          code: 'SOURCE_RENAMED',
          fix: `rename it back to ${this.#collection}, and the same command resumes; or copy it under its new name.`,
        },
      );
    }
    if (found !== undefined) {
      return new SourceChangedError(`the collection ${name} was dropped and recreated while it was read`, {
        code: 'SOURCE_REPLACED',
        fix: 'start from scratch with --restart to read the new one.',
      });
    }
    return new SourceChangedError(`the collection ${name} no longer exists`, {
      code: 'SOURCE_VANISHED',
      fix:
        'it was dropped, or its server was started with other data; once the data is back, the same command resumes; ' +
        'if the collection was recreated, start from scratch with --restart.',
    });
  }

  async #findEmpty(db: Db): Promise<SourceChangedError | null> {
    // Without a sort order, for which some servers would scan the whole collection.
    const pipeline = [{ $limit: 1 }, { $project: { _id: 1 } }];
    const [first] = listDocuments(await new RawCommands(db, this.#collection).aggregate(pipeline, 1));
    if (first !== undefined) return null;
    const name = `${db.databaseName}.${this.#collection}`;
    return new SourceChangedError(`all documents of the collection ${name} were deleted while it was read`, {
      code: 'SOURCE_EMPTIED',
      fix: 'it is unknown whether all of it was read before; restore its documents, and the same command resumes.',
    });
  }
}
