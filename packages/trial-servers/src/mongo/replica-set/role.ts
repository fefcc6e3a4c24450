/** What a member of a replica set refuses while it is not primary. */
import type { CommandReader } from '../command-reader.ts';
import { CommandError, ErrorCode } from '../errors.ts';
import type { ReplicaSet } from './replica-set.ts';

const writes = new Set(
  (
    'insert update delete findAndModify findandmodify create createIndexes drop dropDatabase dropIndexes collMod ' +
    'renameCollection'
  ).split(' '),
);
const reads = new Set([
  'find',
  'aggregate',
  'count',
  'listCollections',
  'listDatabases',
  'listIndexes',
  'collStats',
]);

export function checkRole(command: CommandReader, replicaSet: ReplicaSet | undefined): void {
  if (replicaSet?.isPrimary !== false) {
    return;
  }
  if (writes.has(command.name)) {
    throw new CommandError(ErrorCode.notWritablePrimary, 'not primary');
  }
  const mode = command.document('$readPreference')?.string('mode') ?? 'primary';
  if (mode === 'primary' && reads.has(command.name)) {
    throw new CommandError(ErrorCode.notPrimaryNoSecondaryOk, 'not primary and secondaryOk=false');
  }
}
