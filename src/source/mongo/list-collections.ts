/** Finds the collections of a database. */

import { Binary, UUID, type CollectionInfo, type Db } from 'mongodb';
import { NoCollectionError, SourceError } from '../../common/errors.ts';
import { invoke } from '../../config/invocation.ts';
import { AnswerWatch } from './answer-watch.ts';
import { findObstacle } from '../../config/collection-choice.ts';

/** A reply of listCollections; servers may omit the other fields. */
type Listed = Pick<CollectionInfo, 'name' | 'type'> & Partial<CollectionInfo>;

/** All that the server reports of one collection. It needs more rights than listing names does. */
export async function findCollection(db: Db, name: string): Promise<Listed | undefined> {
  const [found] = await AnswerWatch.of(db.client).guard((options) =>
    db.listCollections<CollectionInfo>({ name }, options).toArray(),
  );
  return found;
}

/** The name of the collection with this UUID. */
export async function findNameOf(db: Db, id: string): Promise<string | undefined> {
  const [found] = await AnswerWatch.of(db.client).guard((options) =>
    db.listCollections({ 'info.uuid': new UUID(id) }, options).toArray(),
  );
  return found?.name;
}

/** @returns the collection's UUID, as text; null if the server has none */
export function collectionIdOf({ info }: Listed): string | null {
  const uuid: unknown = info?.uuid;
  return uuid instanceof Binary ? uuid.toUUID().toHexString() : null;
}

/** Names and types. */
export async function listCollections(db: Db): Promise<Pick<CollectionInfo, 'name' | 'type'>[]> {
  return await AnswerWatch.of(db.client).guard((options) =>
    db.listCollections({}, { ...options, nameOnly: true }).toArray(),
  );
}

/** @returns the collection's UUID, as text; null if the server has none */
export async function requireCollection(db: Db, collection: string): Promise<string | null> {
  const found = await findCollection(db, collection);
  if (found !== undefined) {
    const reason = findObstacle({ name: collection, type: found.type ?? 'collection' });
    if (reason !== null) {
      throw new SourceError(`${db.databaseName}.${collection} cannot be copied: it is ${reason}`, {
        code: 'COLLECTION_NOT_COPYABLE',
      });
    }
    return collectionIdOf(found);
  }
  const names = (await listCollections(db)).map(({ name }) => name);
  const missing = `MongoDB has no collection ${db.databaseName}.${collection}`;
  if (names.length > 0) {
    throw new NoCollectionError(missing, {
      code: 'COLLECTION_MISSING',
      fix: `set MONGO_COLLECTION to one of: ${names.sort().join(', ')}.`,
    });
  }
  throw new NoCollectionError(missing, {
    code: 'COLLECTION_MISSING',
    fix: `the database ${db.databaseName} is empty or does not exist: correct MONGO_DB, or fill it (${invoke('seed')}).`,
  });
}
