/** Commands about databases and collections: listing, measuring, dropping. */
import { serialize } from 'bson';
import { encodeDocument, ListSource } from '../batch-sources.ts';
import type { StoredCollection } from '../storage/stored-collection.ts';
import { matchesDocument } from '../../../../../src/bson/match/filter.ts';
import type { Filter } from '../../../../../src/bson/match/filter.ts';
import { idIndexOf } from '../storage/metadata.ts';
import type { Metadata } from '../storage/metadata.ts';
import type { Reply } from '../wire/message.ts';
import { readBatchSize, readFilter } from './arguments.ts';
import { namespaceOf, refuseView, replyFirstBatch, requireAdmin, succeed } from './command.ts';
import type { CommandContext, ServerState } from './command.ts';

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
    .map(describeCollection)
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

/** Sizes are those of the documents; nothing is compressed, and no index takes space. */
export function collStats(context: CommandContext): Reply {
  const { command, server, database } = context;
  command.refuseUnknown(['scale']);
  const scale = command.count('scale') ?? 1;
  const stored = server.catalog.get(database, command.collection());
  if (stored !== undefined) {
    refuseView(context, stored);
  }
  const { size: count = 0, dataBytes = 0 } = stored?.documents ?? {};
  const size = Math.floor(dataBytes / scale);
  return succeed({
    ns: namespaceOf(context),
    size,
    count,
    // Of no documents there is no average.
    ...(count > 0 ? { avgObjSize: Math.floor(dataBytes / count) } : {}),
    storageSize: size,
    nindexes: stored?.metadata.indexes.length ?? 0,
    scaleFactor: scale,
  });
}

export function drop(context: CommandContext): Reply {
  const { command, server, database } = context;
  command.refuseUnknown([]);
  const stored = server.catalog.get(database, command.collection());
  // Since 7.0, dropping a missing collection succeeds.
  if (stored === undefined) {
    return succeed();
  }
  const ns = namespaceOf(context);
  const nIndexesWas = stored.metadata.indexes.length;
  dropCollection(server, stored);
  return succeed({ nIndexesWas, ns });
}

export function dropDatabase({ command, server, database }: CommandContext): Reply {
  command.refuseUnknown([]);
  const names = server.catalog.collectionNames(database);
  for (const name of names) {
    const stored = server.catalog.get(database, name);
    if (stored !== undefined) {
      dropCollection(server, stored);
    }
  }
  if (names.length === 0) {
    return succeed();
  }
  const place = { database, collection: '', uuid: undefined };
  server.writes.changeCatalog('dropDatabase', place, emptyDocument);
  return succeed({ dropped: database });
}

function dropCollection(server: ServerState, { place }: StoredCollection): void {
  server.writes.changeCatalog('drop', place, emptyDocument, () => {
    server.catalog.drop(place.database, place.collection);
  });
}

const emptyDocument = Buffer.from(serialize({}));

/** Views and time series have no UUID and no index of `_id`, as far as clients can see. */
function describeCollection({ name, metadata }: { name: string; metadata: Metadata }) {
  const { type, options, uuid } = metadata;
  const isPlain = type === 'collection';
  return {
    name,
    type,
    options,
    info: { readOnly: type === 'view', ...(isPlain ? { uuid } : {}) },
    ...(isPlain ? { idIndex: idIndexOf(options) } : {}),
  };
}

function matches(filter: Filter, document: Record<string, unknown>): boolean {
  const { bytes, start } = encodeDocument(document);
  return matchesDocument(filter, bytes, start);
}
