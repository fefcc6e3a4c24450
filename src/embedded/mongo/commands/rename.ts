/** The command renameCollection, within one database. */
import { CommandError, ErrorCode, notImplemented } from '../errors.ts';
import type { Reply } from '../message.ts';
import { requireAdmin, succeed } from './command.ts';
import type { CommandContext } from './command.ts';

/** https://www.mongodb.com/docs/manual/reference/command/renameCollection/ */
export function renameCollection(context: CommandContext): Reply {
  const { command, server } = context;
  requireAdmin(context);
  command.refuseUnknown(['to', 'dropTarget']);
  const source = command.required('renameCollection', command.string('renameCollection'));
  const target = command.required('to', command.string('to'));
  const [from, to] = [splitNamespace(source), splitNamespace(target)];
  if (from.database !== to.database) {
    throw notImplemented('renaming to another database');
  }
  const { catalog } = server;
  if (catalog.get(from.database, from.collection) === undefined) {
    throw new CommandError(ErrorCode.namespaceNotFound, `Source collection ${source} does not exist`);
  }
  if (source === target) {
    throw new CommandError(ErrorCode.illegalOperation, "Can't rename a collection to itself");
  }
  if (catalog.get(to.database, to.collection) !== undefined) {
    if (command.boolean('dropTarget') !== true) {
      throw new CommandError(ErrorCode.namespaceExists, 'target namespace exists');
    }
    catalog.drop(to.database, to.collection);
  }
  catalog.rename(from.database, from.collection, to.collection);
  return succeed();
}

function splitNamespace(namespace: string): { readonly database: string; readonly collection: string } {
  const dot = namespace.indexOf('.');
  if (dot < 1) {
    throw new CommandError(ErrorCode.invalidNamespace, `Invalid namespace specified: ${namespace}`);
  }
  return { database: namespace.slice(0, dot), collection: namespace.slice(dot + 1) };
}
