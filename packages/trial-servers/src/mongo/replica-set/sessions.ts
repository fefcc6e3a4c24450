/** The session of a command, and whether it is a retryable write. */
import { findValue } from '../../../../../src/bson/raw-value.ts';
import { guessName } from '../../../../../src/bson/cursor.ts';
import type { RawValue } from '../../../../../src/bson/raw-value.ts';
import { bsonTypes } from '../../../../../src/bson/types.ts';
import type { CommandReader } from '../command-reader.ts';
import { CommandError, ErrorCode, notImplemented } from '../errors.ts';
import type { RetryableWrites, StatementLog } from './retryable-writes.ts';

/** Commands that a client may number to send them again. */
const retryableCommands = new Set(['insert', 'update', 'delete', 'findAndModify', 'findandmodify']);

/** Errors after which a client sends a retryable write again, as the server marks by a label. */
const retryableCodes = new Set([6, 7, 89, 91, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436]);

/** The session's id, such as `lsid` and the elements of endSessions have it. */
export function readSessionId({ type, bytes, start }: RawValue): string {
  const id = type === bsonTypes.object ? findValue(bytes, start, idName) : undefined;
  if (id?.type !== bsonTypes.binData) {
    throw new CommandError(ErrorCode.typeMismatch, 'the id of a session must be a UUID');
  }
  return bytes.toString('latin1', id.start + 5, id.end);
}

const idName = guessName('id');

/** @returns undefined for a command that is no retryable write */
export function beginStatements(
  command: CommandReader,
  retryableWrites: RetryableWrites,
  isReplicaSet: boolean,
): StatementLog | undefined {
  const txnNumber = command.value('txnNumber');
  const isTransaction = command.has('startTransaction') || command.has('autocommit');
  if (txnNumber === undefined && !isTransaction) {
    return undefined;
  }
  if (!isReplicaSet) {
    throw new CommandError(
      ErrorCode.illegalOperation,
      'Transaction numbers are only allowed on a replica set member or mongos',
    );
  }
  if (isTransaction) {
    throw notImplemented('transactions');
  }
  const session = command.value('lsid');
  if (session === undefined || txnNumber === undefined) {
    throw new CommandError(
      ErrorCode.invalidOptions,
      'Transaction number requires a session ID to also be specified',
    );
  }
  if (!retryableCommands.has(command.name)) {
    throw new CommandError(
      ErrorCode.notARetryableWriteCommand,
      'txnNumber may only be provided for multi-document transactions and retryable write commands. ' +
        `autocommit:false was not provided, and ${command.name} is not a retryable write command.`,
    );
  }
  return retryableWrites.begin(readSessionId(session), command.int64(txnNumber));
}

export function isRetryable(command: CommandReader, code: number): boolean {
  return command.has('txnNumber') && retryableCodes.has(code);
}
