/** The command renameCollection, within one database. */
import { Binary, serialize } from 'bson';
import { CommandError, ErrorCode, notImplemented } from '../errors.ts';
import type { Reply } from '../wire/message.ts';
import type { Place } from '../storage/place.ts';
import { requireAdmin, succeed } from './command.ts';
import type { CommandContext } from './command.ts';

/** https://www.mongodb.com/docs/manual/reference/command/renameCollection/ */
export function renameCollection(context: CommandContext): Reply {
  const { command, server } = context;
  requireAdmin(context);
  command.refuseUnknown(['to', 'dropTarget']);
  const from = splitNamespace(command.required('renameCollection', command.string('renameCollection')));
  const to = splitNamespace(command.required('to', command.string('to')));
  const stored = server.catalog.get(from.database, from.collection);
  if (stored === undefined) {
    throw new CommandError(
      ErrorCode.namespaceNotFound,
      `Source collection ${from.database}.${from.collection} does not exist`,
    );
  }
  if (from.database === to.database && from.collection === to.collection) {
    throw new CommandError(ErrorCode.illegalOperation, "Can't rename a collection to itself");
  }
  if (from.database !== to.database) {
    throw notImplemented('renaming a collection into another database');
  }
  if (stored.metadata.type !== 'collection') {
    throw new CommandError(
      ErrorCode.commandNotSupportedOnView,
      `cannot rename view: ${from.database}.${from.collection}`,
    );
  }
  const target = server.catalog.get(to.database, to.collection);
  if (target !== undefined && command.boolean('dropTarget') !== true) {
    throw new CommandError(ErrorCode.namespaceExists, 'target namespace exists');
  }
  const dropped = target?.place.uuid;
  const details = {
    operationDescription: {
      to: { db: to.database, coll: to.collection },
      ...(dropped === undefined ? {} : { dropTarget: new Binary(dropped, Binary.SUBTYPE_UUID) }),
    },
  };
  const place = { ...to, uuid: stored.place.uuid };
  server.writes.changeCatalog(
    'rename',
    stored.place,
    Buffer.from(serialize(details)),
    () => {
      server.catalog.drop(to.database, to.collection);
      server.catalog.rename(stored, to.collection);
    },
    place,
  );
  return succeed();
}

function splitNamespace(namespace: string): Omit<Place, 'uuid'> {
  const dot = namespace.indexOf('.');
  if (dot <= 0) {
    throw new CommandError(ErrorCode.invalidNamespace, `Invalid namespace specified '${namespace}'`);
  }
  return { database: namespace.slice(0, dot), collection: namespace.slice(dot + 1) };
}
