/** Finds the command a request names, applies the fail point, runs it, and turns errors into replies. */
import { setTimeout as sleep } from 'node:timers/promises';
import { CommandReader } from './command-reader.ts';
import { aggregate } from './commands/aggregate.ts';
import { collStats, drop, dropDatabase, listCollections, listDatabases } from './commands/catalog.ts';
import { renameCollection } from './commands/rename.ts';
import type { CommandHandler, ConnectionState, ServerState } from './commands/command.ts';
import { create } from './commands/create.ts';
import { buildInfo, configureFailPoint, connectionStatus, endSessions } from './commands/handshake.ts';
import { getParameter, hello, ping, saslStart } from './commands/handshake.ts';
import { createIndexes, dropIndexes, listIndexes } from './commands/indexes.ts';
import { count, find, getMore, killCursors } from './commands/read.ts';
import { insert, remove } from './commands/write.ts';
import { QueryError, UnsupportedError } from '../../match/errors.ts';
import { CommandError, ErrorCode, nameCode, notImplemented } from './errors.ts';
import type { Reply, Request } from './message.ts';
import { awaitedMs, isStateChange, type TopologyVersion } from './topology-version.ts';

const commands = new Map<string, CommandHandler>(
  Object.entries({
    aggregate,
    buildInfo,
    buildinfo: buildInfo,
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
    saslStart,
  }),
);

/** What becomes of a request: a reply, or a connection closed without one. */
export type Outcome = Reply | 'closeConnection';

/** Answers one request; rejects only when `closing` is aborted while it waits. */
export async function answer(
  request: Request,
  server: ServerState,
  connection: ConnectionState,
  closing: AbortSignal,
): Promise<Outcome> {
  try {
    const command = new CommandReader(request.bytes, request.bodyStart);
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
    if (['txnNumber', 'startTransaction', 'autocommit'].some((name) => command.has(name))) {
      throw new CommandError(
        ErrorCode.illegalOperation,
        'Transaction numbers are only allowed on a replica set member or mongos',
      );
    }
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
    if (handler === hello) {
      const waitMs = awaitedMs(command, server.topologyVersion);
      if (waitMs > 0) await sleep(waitMs, undefined, { signal: closing });
    }
    return handler({ server, connection, database, command, request });
  } catch (error) {
    if (closing.aborted) {
      throw error;
    }
    return replyError(error, server.topologyVersion);
  }
}

/** mongod's form of an error; one that is not mongod's (a full disk, a defect) is an internal error. */
export function replyError(error: unknown, topologyVersion: TopologyVersion): Reply {
  const { code, message, errorLabels } = toCommandError(error);
  return {
    document: {
      ok: 0,
      errmsg: message,
      code,
      codeName: nameCode(code),
      ...(errorLabels.length > 0 ? { errorLabels } : {}),
      ...(isStateChange(code) ? { topologyVersion } : {}),
    },
  };
}

function toCommandError(error: unknown): CommandError {
  if (error instanceof CommandError) return error;
  if (error instanceof UnsupportedError) return notImplemented(error.what);
  if (error instanceof QueryError) return new CommandError(error.code, error.message);
  return new CommandError(ErrorCode.internalError, error instanceof Error ? error.message : String(error));
}
