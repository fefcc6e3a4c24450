/** The commands insert and delete, and what they share with update. */
import { deserialize, EJSON } from 'bson';
import { findValue, readInt32 } from '../../../../../src/bson/raw-value.ts';
import { guessName } from '../../../../../src/bson/cursor.ts';
import { bsonTypes } from '../../../../../src/bson/types.ts';
import { wrapValue } from '../decode.ts';
import { checkDocument } from '../checked-bson.ts';
import type { StoredCollection } from '../storage/stored-collection.ts';
import { CommandReader } from '../command-reader.ts';
import { QueryError } from '../../../../../src/bson/match/errors.ts';
import { CommandError, ErrorCode } from '../errors.ts';
import { splitSequence } from '../wire/message.ts';
import type { Reply } from '../wire/message.ts';
import { toTimestamp } from '../oplog/cluster-time.ts';
import type { StatementLog } from '../replica-set/retryable-writes.ts';
import { findMatches } from '../query/matches.ts';
import { RunList } from '../storage/runs.ts';
import { prepareDocument } from '../storage/stored-document.ts';
import type { PreparedDocument } from '../storage/stored-document.ts';
import { checkHint, readSelection } from './arguments.ts';
import { namespaceOf, refuseView, succeed } from './command.ts';
import { createCollection } from './create.ts';
import type { CommandContext } from './command.ts';

export interface WriteError {
  readonly index: number;
  readonly code: number;
  readonly errmsg: string;
  readonly keyPattern?: unknown;
  readonly keyValue?: unknown;
}

export function insert(context: CommandContext): Reply {
  const { command, server, request } = context;
  command.refuseUnknown(['documents', 'ordered', 'bypassDocumentValidation', 'bypassEmptyTsReplacement']);
  const isOrdered = command.boolean('ordered') ?? true;
  const isEmptyTsKept = command.boolean('bypassEmptyTsReplacement') ?? false;
  const namespace = namespaceOf(context);
  if (isEmptyList(context, 'documents')) {
    throw new CommandError(
      ErrorCode.invalidLength,
      'Write batch sizes must be between 1 and 100000. Got 0 operations.',
    );
  }
  const stored = openCollection(context);
  const { statements } = context;
  const writeErrors: WriteError[] = [];
  const retriedStmtIds: number[] = [];
  const inserted = new RunList();
  const isRetry = statements?.isEmpty === false;
  const now = (): bigint => toTimestamp(server.writes.oplog.clock.tick(1)).toBigInt();
  let index = -1;
  server.replicaSetFaults.write(stored, () => {
    for (const start of listDocuments(context, 'documents')) {
      index++;
      if (isRetry && statements.find(index) !== undefined) {
        retriedStmtIds.push(index);
        continue;
      }
      try {
        const prepared = prepareDocument(
          request.bytes,
          start,
          start + readInt32(request.bytes, start),
          isEmptyTsKept ? undefined : now,
        );
        if (!stored.documents.insert(prepared.bytes, prepared.start, prepared.end)) {
          writeErrors.push(duplicateKey(index, namespace, prepared));
        } else {
          inserted.add(prepared.bytes, prepared.start, prepared.end - prepared.start);
        }
      } catch (error) {
        writeErrors.push(toWriteError(index, error));
      }
      if (isOrdered && writeErrors.length > 0) {
        break;
      }
    }
    server.writes.insert(stored, inserted);
  });
  if (statements !== undefined) {
    reportDone(statements, index + 1, [...retriedStmtIds, ...writeErrors.map((error) => error.index)]);
  }
  return succeed({
    n: inserted.count + retriedStmtIds.length,
    ...(retriedStmtIds.length > 0 ? { retriedStmtIds } : {}),
    ...(writeErrors.length > 0 ? { writeErrors } : {}),
  });
}

/** All statements below `end` were done now, except these. */
function reportDone(statements: StatementLog, end: number, exceptions: readonly number[]): void {
  let from = 0;
  for (const exception of exceptions.toSorted((a, b) => a - b)) {
    statements.addSingles(from, exception);
    from = exception + 1;
  }
  statements.addSingles(from, end);
}

/** The command `delete`. */
export function remove(context: CommandContext): Reply {
  const { command, server, database, request, statements } = context;
  command.refuseUnknown(['deletes', 'ordered']);
  const stored = server.catalog.get(database, command.collection());
  if (stored !== undefined) {
    refuseView(context, stored);
  }
  let n = 0;
  let index = -1;
  const retriedStmtIds: number[] = [];
  for (const start of listDocuments(context, 'deletes')) {
    index++;
    checkDocument(request.bytes, start, start + readInt32(request.bytes, start));
    const statement = new CommandReader(request.bytes, start, 'delete.deletes');
    statement.refuseUnknown(['q', 'limit', 'hint', 'collation']);
    checkHint(statement);
    statement.required('q', statement.rawDocument('q'));
    const limit = statement.required('limit', statement.count('limit'));
    if (limit > 1) {
      throw new CommandError(
        ErrorCode.failedToParse,
        `The limit field in delete objects must be 0 or 1. Got ${limit}`,
      );
    }
    if (statements !== undefined && limit === 0) {
      throw new CommandError(
        ErrorCode.invalidOptions,
        'Cannot use (or request) retryable writes with limit=0',
      );
    }
    const { filter } = readSelection(statement, 'q', stored?.documents);
    if (statements?.find(index) !== undefined) {
      retriedStmtIds.push(index);
      n++;
    } else if (stored !== undefined) {
      const removed = server.replicaSetFaults.write(stored, () => {
        const addresses = findMatches(stored.documents, filter, limit === 1 ? 1 : Infinity);
        if (addresses.length > 0) {
          server.writes.remove(stored, addresses);
        }
        return addresses.length;
      });
      n += removed;
      if (removed > 0) {
        statements?.addSingles(index, index + 1);
      }
    }
  }
  return succeed({ n, ...(retriedStmtIds.length > 0 ? { retriedStmtIds } : {}) });
}

/** Where the documents start, which come as a sequence of their own or as an array in the command. */
export function* listDocuments(context: CommandContext, name: string): Generator<number, void, undefined> {
  const { command, request } = context;
  const sequence = request.sequences.get(name);
  if (sequence !== undefined) {
    yield* splitSequence(request.bytes, sequence);
    return;
  }
  for (const element of command.required(name, command.array(name))) {
    if (element.type !== bsonTypes.object) {
      throw new CommandError(
        ErrorCode.typeMismatch,
        `BSON field '${command.name}.${name}.${element.name}' is the wrong type, expected type 'object'`,
      );
    }
    yield element.start;
  }
}

function isEmptyList(context: CommandContext, name: string): boolean {
  return listDocuments(context, name).next().done === true;
}

/** The collection that the command writes to, created when it does not exist. */
export function openCollection(context: CommandContext): StoredCollection {
  const { command, server, database } = context;
  const name = command.collection();
  const stored = server.catalog.get(database, name) ?? createCollection(server, database, name);
  refuseView(context, stored);
  return stored;
}

/** The error of a failed statement; errors other than mongod's end the command. */
export function toWriteError(index: number, error: unknown): WriteError {
  if (!(error instanceof QueryError)) {
    throw error;
  }
  return { index, code: error.code, errmsg: error.message };
}

export function duplicateKey(
  index: number,
  namespace: string,
  { bytes, start }: Pick<PreparedDocument, 'bytes' | 'start'>,
): WriteError {
  const id = findValue(bytes, start, idName);
  const wrapped = id === undefined ? {} : deserialize(wrapValue(id), { promoteValues: false });
  const value: unknown = wrapped[''];
  return {
    index,
    code: ErrorCode.duplicateKey,
    errmsg: `E11000 duplicate key error collection: ${namespace} index: _id_ dup key: { _id: ${EJSON.stringify(value)} }`,
    keyPattern: { _id: 1 },
    keyValue: { _id: value },
  };
}

const idName = guessName('_id');
