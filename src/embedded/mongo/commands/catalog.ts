/** Commands about databases and collections: listing, creating, dropping. */
import { encodeDocument, ListSource } from '../batch-sources.ts';
import { CommandError, ErrorCode, notImplemented } from '../errors.ts';
import { matchesDocument } from '../filter.ts';
import type { Filter } from '../filter.ts';
import type { Reply } from '../message.ts';
import { readBatchSize, readFilter } from './arguments.ts';
import { namespaceOf, replyFirstBatch, requireAdmin, succeed } from './command.ts';
import type { CommandContext } from './command.ts';

const idIndex = { v: 2, key: { _id: 1 }, name: '_id_' };

export function listDatabases(context: CommandContext): Reply {
  const { command, server } = context;
  requireAdmin(context);
  command.refuseUnknown(['nameOnly', 'filter', 'authorizedDatabases']);
  const filter = readFilter(command, 'filter');
  const isNameOnly = command.boolean('nameOnly') ?? false;
  const databases = server.catalog
    .databaseNames()
    .map((name) => ({ name, sizeOnDisk: server.catalog.databaseBytes(name), empty: false }))
    .filter((database) => matches(filter, database));
  if (isNameOnly) {
    return succeed({ databases: databases.map(({ name }) => ({ name })) });
  }
  const totalSize = databases.reduce((total, { sizeOnDisk }) => total + sizeOnDisk, 0);
  return succeed({ databases, totalSize, totalSizeMb: Math.floor(totalSize / 2 ** 20) });
}

export function listCollections(context: CommandContext): Reply {
  const { command, server, database } = context;
  command.refuseUnknown(['filter', 'nameOnly', 'authorizedCollections', 'cursor']);
  const filter = readFilter(command, 'filter');
  const isNameOnly = command.boolean('nameOnly') ?? false;
  const documents = server.catalog
    .collections(database)
    .map(({ name, uuid }) => ({
      name,
      type: 'collection',
      options: {},
      info: { readOnly: false, uuid },
      idIndex,
    }))
    .filter((collection) => matches(filter, collection))
    .map(({ name, type, ...rest }) => encodeDocument(isNameOnly ? { name, type } : { name, type, ...rest }));
  return replyFirstBatch(
    context,
    new ListSource(documents),
    readBatchSize(command, Infinity),
    false,
    `${database}.$cmd.listCollections`,
  );
}

export function listIndexes(context: CommandContext): Reply {
  const { command, server, database } = context;
  command.refuseUnknown(['cursor']);
  if (server.catalog.get(database, command.collection()) === undefined) {
    throw new CommandError(ErrorCode.namespaceNotFound, `ns does not exist: ${namespaceOf(context)}`);
  }
  return replyFirstBatch(
    context,
    new ListSource([encodeDocument(idIndex)]),
    readBatchSize(command, Infinity),
    false,
  );
}

export function create(context: CommandContext): Reply {
  const { command, server, database } = context;
  command.refuseUnknown(createOptions);
  for (const option of createOptions) {
    if (command.has(option)) {
      throw notImplemented(`the option ${option} of create`);
    }
  }
  const name = command.collection();
  if (server.catalog.get(database, name) !== undefined) {
    throw new CommandError(ErrorCode.namespaceExists, `Collection ${namespaceOf(context)} already exists.`);
  }
  server.catalog.create(database, name);
  return succeed();
}

const createOptions = (
  'capped autoIndexId idIndex size max storageEngine validator validationLevel validationAction indexOptionDefaults ' +
  'viewOn pipeline collation changeStreamPreAndPostImages timeseries clusteredIndex expireAfterSeconds encryptedFields'
).split(' ');

export function drop(context: CommandContext): Reply {
  const { command, server, database } = context;
  command.refuseUnknown([]);
  const ns = namespaceOf(context);
  // Since 7.0, dropping what is not there succeeds.
  return server.catalog.drop(database, command.collection()) ? succeed({ nIndexesWas: 1, ns }) : succeed();
}

export function dropDatabase({ command, server, database }: CommandContext): Reply {
  command.refuseUnknown([]);
  const names = server.catalog.collectionNames(database);
  for (const name of names) {
    server.catalog.drop(database, name);
  }
  return succeed(names.length > 0 ? { dropped: database } : {});
}

function matches(filter: Filter, document: Record<string, unknown>): boolean {
  const { bytes, start } = encodeDocument(document);
  return matchesDocument(filter, bytes, start);
}
