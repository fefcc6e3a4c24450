/** Commands about indexes. They are stored and listed, and not used: only `_id` has an index, and is unique. */
import { serialize } from 'bson';
import { encodeDocument, ListSource } from '../batch-sources.ts';
import { readString } from '../../../../../src/bson/raw-value.ts';
import type { RawField } from '../../../../../src/bson/raw-value.ts';
import { bsonTypes } from '../../../../../src/bson/types.ts';
import { decodeDocument } from '../decode.ts';
import { changeIndexes } from '../storage/stored-collection.ts';
import type { StoredCollection } from '../storage/stored-collection.ts';
import { CommandError, ErrorCode } from '../errors.ts';
import { hasSameKey, isSameIndex, parseIndexSpec } from '../index-spec.ts';
import { idIndex, idIndexOf } from '../storage/metadata.ts';
import type { KeptDocument } from '../storage/metadata.ts';
import type { Reply } from '../wire/message.ts';
import { readBatchSize } from './arguments.ts';
import { namespaceOf, refuseView, replyFirstBatch, succeed } from './command.ts';
import type { CommandContext } from './command.ts';
import { createCollection } from './create.ts';

/** https://www.mongodb.com/docs/manual/reference/limits/#indexes */
const maxIndexes = 64;

export function createIndexes(context: CommandContext): Reply {
  const { command, server, database } = context;
  command.refuseUnknown(['indexes', 'commitQuorum', 'ignoreUnknownIndexOptions']);
  const fields = command.required('indexes', command.array('indexes'));
  if (fields.length === 0) {
    throw new CommandError(ErrorCode.badValue, 'Must specify at least one index to create');
  }
  const existing = server.catalog.get(database, command.collection());
  const specs = fields.map((field) => parseIndexSpec(field, existing?.metadata.options.collation));
  if (existing !== undefined) {
    refuseView(context, existing);
  }
  const before = existing?.metadata.indexes ?? [idIndex];
  const ofId = idIndexOf(existing?.metadata.options ?? {});
  let after = before;
  for (const spec of specs) {
    if (!hasSameKey(ofId, spec)) after = addIndex(after, spec, namespaceOf(context));
  }
  const stored = existing ?? createCollection(server, database, command.collection());
  if (after.length > before.length) {
    changeIndexes(stored, after);
    recordInOplog(context, 'createIndexes', stored, after.slice(before.length));
  }
  return succeed({
    numIndexesBefore: before.length,
    numIndexesAfter: after.length,
    createdCollectionAutomatically: existing === undefined,
    ...(after.length === before.length ? { note: 'all indexes already exist' } : {}),
  });
}

export function listIndexes(context: CommandContext): Reply {
  const { command } = context;
  command.refuseUnknown(['cursor']);
  const { metadata } = requireCollection(context);
  const documents = metadata.indexes.map(encodeDocument);
  return replyFirstBatch(context, new ListSource(documents), readBatchSize(command, Infinity), false);
}

export function dropIndexes(context: CommandContext): Reply {
  const { command } = context;
  command.refuseUnknown(['index']);
  const stored = requireCollection(context);
  const { indexes } = stored.metadata;
  const wanted = command.required('index', command.value('index'));
  const dropped = new Set(chooseIndexes(indexes, wanted));
  changeIndexes(
    stored,
    indexes.filter((index) => !dropped.has(index)),
  );
  if (dropped.size > 0) {
    recordInOplog(context, 'dropIndexes', stored, [...dropped]);
  }
  return succeed({ nIndexesWas: indexes.length });
}

function recordInOplog(
  { server }: CommandContext,
  kind: 'createIndexes' | 'dropIndexes',
  { place }: StoredCollection,
  indexes: readonly KeptDocument[],
): void {
  const details = serialize({ operationDescription: { indexes } }, { ignoreUndefined: true });
  server.writes.changeCatalog(kind, place, Buffer.from(details));
}

function requireCollection(context: CommandContext): StoredCollection {
  const { command, server, database } = context;
  const stored = server.catalog.get(database, command.collection());
  if (stored === undefined) {
    throw new CommandError(ErrorCode.namespaceNotFound, `ns does not exist: ${namespaceOf(context)}`);
  }
  refuseView(context, stored);
  return stored;
}

function addIndex(
  indexes: readonly KeptDocument[],
  spec: KeptDocument,
  namespace: string,
): readonly KeptDocument[] {
  if (indexes.some((index) => isSameIndex(index, spec))) {
    return indexes;
  }
  const sameName = indexes.find(({ name }) => name === spec.name);
  if (sameName !== undefined) {
    throw new CommandError(
      hasSameKey(sameName, spec) ? ErrorCode.indexOptionsConflict : ErrorCode.indexKeySpecsConflict,
      `An existing index has the same name as the requested index: ${String(spec.name)}`,
    );
  }
  const sameKey = indexes.find((index) => hasSameKey(index, spec));
  if (sameKey !== undefined) {
    throw new CommandError(
      ErrorCode.indexOptionsConflict,
      `Index already exists with a different name: ${String(sameKey.name)}`,
    );
  }
  if (indexes.length >= maxIndexes) {
    throw new CommandError(
      ErrorCode.cannotCreateIndex,
      `add index fails, too many indexes for ${namespace} key:${JSON.stringify(spec.key)}`,
    );
  }
  return [...indexes, spec];
}

/** By name, by several names, by key, or `*`: all but that of `_id`. */
function chooseIndexes(indexes: readonly KeptDocument[], wanted: RawField): readonly KeptDocument[] {
  if (wanted.type === bsonTypes.object) {
    const key = decodeDocument(wanted);
    return [requireIndex(indexes, (index) => hasSameKey(index, { ...index, key }), JSON.stringify(key))];
  }
  if (wanted.type === bsonTypes.array) {
    return Object.values(decodeDocument(wanted)).map((name) => findByName(indexes, String(name)));
  }
  if (wanted.type !== bsonTypes.string) {
    throw new CommandError(ErrorCode.typeMismatch, "BSON field 'dropIndexes.index' is the wrong type");
  }
  const name = readString(wanted);
  return name === '*' ? indexes.filter((index) => index.name !== idIndex.name) : [findByName(indexes, name)];
}

function findByName(indexes: readonly KeptDocument[], name: string): KeptDocument {
  return requireIndex(indexes, (index) => index.name === name, name);
}

function requireIndex(
  indexes: readonly KeptDocument[],
  isWanted: (index: KeptDocument) => boolean,
  text: string,
): KeptDocument {
  const found = indexes.find(isWanted);
  if (found === undefined) {
    throw new CommandError(ErrorCode.indexNotFound, `index not found with name [${text}]`);
  }
  if (found.name === idIndex.name) {
    throw new CommandError(ErrorCode.invalidOptions, 'cannot drop _id index');
  }
  return found;
}
