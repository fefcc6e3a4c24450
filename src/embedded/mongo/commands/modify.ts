/** Commands that change a collection as a whole: renameCollection and collMod. */
import { Binary, serialize } from 'bson';
import { CommandError, ErrorCode, notImplemented } from '../errors.ts';
import { changeIndexes, changeOptions } from '../catalog.ts';
import type { StoredCollection } from '../catalog.ts';
import type { CommandReader } from '../command-reader.ts';
import { decodeDocument } from '../../../match/bson-view.ts';
import { hasSameKey } from '../index-spec.ts';
import { isDocument } from '../metadata.ts';
import type { Reply } from '../message.ts';
import type { Place } from '../oplog/entry.ts';
import { namespaceOf, refuseView, requireAdmin, succeed } from './command.ts';
import type { CommandContext } from './command.ts';

export function renameCollection(context: CommandContext): Reply {
  const { command, server } = context;
  requireAdmin(context);
  command.refuseUnknown(['to', 'dropTarget']);
  const from = splitNamespace(command.string('renameCollection') ?? '');
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

/** As far as change streams have to do with it: whether documents are kept before changes, and hidden indexes. */
export function collMod(context: CommandContext): Reply {
  const { command, server, database } = context;
  command.refuseUnknown(['index', 'changeStreamPreAndPostImages']);
  const stored = server.catalog.get(database, command.collection());
  if (stored === undefined) {
    throw new CommandError(ErrorCode.namespaceNotFound, `ns does not exist: ${namespaceOf(context)}`);
  }
  refuseView(context, stored);
  const changed: Record<string, unknown> = {};
  const images = command.document('changeStreamPreAndPostImages');
  if (images !== undefined) {
    const setting = { enabled: images.boolean('enabled') ?? false };
    changeOptions(stored, { ...stored.metadata.options, changeStreamPreAndPostImages: setting });
    changed.changeStreamPreAndPostImages = setting;
  }
  const index = command.document('index');
  if (index !== undefined) {
    changed.index = hideIndex(stored, index);
  }
  server.writes.changeCatalog(
    'modify',
    stored.place,
    Buffer.from(serialize({ operationDescription: changed })),
  );
  return succeed();
}

function hideIndex(stored: StoredCollection, index: CommandReader): Record<string, unknown> {
  index.refuseUnknown(['name', 'keyPattern', 'hidden'], 'collMod.index');
  const hidden = index.required('hidden', index.boolean('hidden'));
  const name = index.string('name');
  const keyField = index.rawDocument('keyPattern');
  const key = keyField && decodeDocument(keyField);
  const { indexes } = stored.metadata;
  const found = indexes.find((known) =>
    name === undefined ? isDocument(key) && hasSameKey(known, { ...known, key }) : known.name === name,
  );
  if (found === undefined) {
    throw new CommandError(ErrorCode.indexNotFound, `cannot find index ${name ?? ''} for ns`);
  }
  changeIndexes(
    stored,
    indexes.map((known) => (known === found ? { ...known, hidden } : known)),
  );
  return { name: found.name, hidden };
}

function splitNamespace(namespace: string): Omit<Place, 'uuid'> {
  const dot = namespace.indexOf('.');
  if (dot <= 0) {
    throw new CommandError(ErrorCode.invalidNamespace, `Invalid namespace specified '${namespace}'`);
  }
  return { database: namespace.slice(0, dot), collection: namespace.slice(dot + 1) };
}
