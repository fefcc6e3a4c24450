/** The command collMod. */
import { serialize } from 'bson';
import { CommandError, ErrorCode } from '../errors.ts';
import { changeIndexes, changeOptions } from '../storage/stored-collection.ts';
import type { StoredCollection } from '../storage/stored-collection.ts';
import type { CommandReader } from '../command-reader.ts';
import { decodeDocument } from '../decode.ts';
import { hasSameKey } from '../index-spec.ts';
import { isDocument } from '../storage/metadata.ts';
import type { Reply } from '../wire/message.ts';
import { namespaceOf, refuseView, succeed } from './command.ts';
import type { CommandContext } from './command.ts';

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
