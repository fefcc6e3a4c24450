/** Finds the command a request names, applies the fail point, runs it, and turns errors into replies. */
import { setTimeout as sleep } from 'node:timers/promises';
import { CommandReader } from './command-reader.ts';
import { aggregate } from './commands/aggregate.ts';
import { collStats, drop, dropDatabase, listCollections, listDatabases } from './commands/catalog.ts';
import type { CommandHandler, ConnectionState, ServerState } from './commands/command.ts';
import { create } from './commands/create.ts';
import {
  buildInfo,
  configureFailPoint,
  connectionStatus,
  endSessions,
  getParameter,
  hello,
  ping,
  replSetFreeze,
  replSetStepDown,
  saslStart,
} from './commands/handshake.ts';
import { createIndexes, dropIndexes, listIndexes } from './commands/indexes.ts';
import { collMod } from './commands/modify.ts';
import { count, find, getMore, killCursors } from './commands/read.ts';
import { renameCollection } from './commands/rename.ts';
import { findAndModify, update } from './commands/update.ts';
import { insert, remove } from './commands/write.ts';
import { BsonError } from '../../../../src/bson/types.ts';
import { translateBsonError } from './checked-bson.ts';
import { QueryError, UnsupportedError } from '../../../../src/bson/match/errors.ts';
import { CommandError, ErrorCode, nameCode, notImplemented } from './errors.ts';
import type { Reply, Request } from './wire/message.ts';
import { readReadConcern } from './replica-set/read-concern.ts';
import { checkRole } from './replica-set/role.ts';
import { beginStatements, isRetryable } from './replica-set/sessions.ts';
import { isStateChange } from './replica-set/topology-version.ts';
import type { TopologyVersion } from './replica-set/topology-version.ts';

const commands = new Map<string, CommandHandler>(
  Object.entries({
    aggregate,
    buildInfo,
    buildinfo: buildInfo,
    collMod,
    collStats,
    configureFailPoint,
    connectionStatus,
    count,
    create,
    createIndexes,
    delete: remove,
    drop,
    dropDatabase,
    dropIndexes,
    endSessions,
    find,
    findAndModify,
    findandmodify: findAndModify,
    getMore,
    getParameter,
    hello,
    insert,
    isMaster: hello,
    ismaster: hello,
    killCursors,
    listCollections,
    listDatabases,
    listIndexes,
    ping,
    renameCollection,
    replSetFreeze,
    replSetStepDown,
    saslStart,
    update,
  }),
);

/** The result of a request: a reply, or a connection closed without one. */
export type Outcome = Reply | 'closeConnection';

/** Answers one request; rejects only when `closing` is aborted while it waits. */
export async function answer(
  request: Request,
  server: ServerState,
  connection: ConnectionState,
  closing: AbortSignal,
): Promise<Outcome> {
  const command = new CommandReader(request.bytes, request.bodyStart);
  try {
    const database = request.legacyDatabase ?? command.string('$db');
    if (database === undefined) {
      throw new CommandError(40571, 'OP_MSG requests require a $db argument');
    }
    const handler = commands.get(command.name);
    if (handler === undefined) {
      throw new CommandError(ErrorCode.commandNotFound, `no such command: '${command.name}'`);
    }
    if (request.isLegacy && handler !== hello) {
      throw new CommandError(352, `Unsupported OP_QUERY command: ${command.name}`);
    }
    const { replicaSet, retryableWrites } = server;
    checkRole(command, replicaSet);
    const readConcern = readReadConcern(command, replicaSet?.oplog);
    const action =
      handler === configureFailPoint ? undefined : server.failPoints.hit(command.name, connection.appName);
    if (action !== undefined) {
      if (action.blockMs > 0) {
        await sleep(action.blockMs, undefined, { signal: closing });
      }
      if (action.isConnectionClosed) {
        return 'closeConnection';
      }
      if (action.error !== undefined) {
        throw action.error;
      }
    }
    const statements = beginStatements(command, retryableWrites, replicaSet !== undefined);
    return await handler({ server, connection, database, command, request, readConcern, statements });
  } catch (error) {
    if (closing.aborted) {
      throw error;
    }
    return replyError(error, server.topologyVersion, command);
  }
}

/** mongod's form of an error; one that is not mongod's (a full disk, a defect) is an internal error. */
export function replyError(error: unknown, topologyVersion: TopologyVersion, command?: CommandReader): Reply {
  const { code, message, errorLabels } = toCommandError(error);
  const labels =
    errorLabels.length === 0 && command !== undefined && isRetryable(command, code)
      ? ['RetryableWriteError']
      : errorLabels;
  return {
    document: {
      ok: 0,
      errmsg: message,
      code,
      codeName: nameCode(code),
      ...(labels.length > 0 ? { errorLabels: labels } : {}),
      ...(isStateChange(code) ? { topologyVersion: topologyVersion.describe() } : {}),
    },
  };
}

function toCommandError(error: unknown): CommandError {
  if (error instanceof CommandError) return error;
  if (error instanceof BsonError) return translateBsonError(error);
  if (error instanceof UnsupportedError) return notImplemented(error.what);
  if (error instanceof QueryError) return new CommandError(error.code, error.message);
  return new CommandError(ErrorCode.internalError, error instanceof Error ? error.message : String(error));
}
