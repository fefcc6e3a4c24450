/**
 * A small MongoDB server for trying mongo2pg out, for its tests and its benchmarks. It is not a database for
 * production: it binds to loopback only, checks no password, knows the few commands that are needed for this, and
 * keeps all documents in memory (and, with a data directory, in files). It is a replica set of one, with change streams.
 * Indexes, views, time series and validators are stored and listed; only the index of `_id` is used and enforced.
 */
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { SourceError } from '../../../../src/common/errors.ts';
import { Catalog } from './catalog.ts';
import type { ConnectionState, ServerState } from './commands/command.ts';
import { Cursors } from './cursors.ts';
import { answer, replyError } from './dispatch.ts';
import type { Outcome } from './dispatch.ts';
import { QueryError } from '../../../../src/bson/match/errors.ts';
import { MalformedMessageError } from './errors.ts';
import { FailPoints } from './failpoints.ts';
import { ReplicaSetFaults } from './replica-set-faults.ts';
import { encodeReply, parseRequest, readRequestId } from './wire/message.ts';
import { ReplyBuffer } from './wire/reply-buffer.ts';
import { MessageReader } from './wire/message-reader.ts';
import { defaultOplogBytes, Oplog } from './oplog/oplog.ts';
import { ReplicaSet, ReplyTimes } from './replica-set/replica-set.ts';
import { RetryableWrites } from './replica-set/retryable-writes.ts';
import { TopologyVersion } from './replica-set/topology-version.ts';
import { WriteLog } from './write-log.ts';

const host = '127.0.0.1';
const defaultSetName = 'embedded';
const replyTimes = new ReplyTimes();

export interface MongoServerOptions {
  /** Where collections are kept, as mongodump-style files; without it they are in memory only. */
  readonly dataDir?: string;
  /** 0, the default, takes any free port. */
  readonly port?: number;
  /**
   * The name of the replica set whose only member this is, which has an oplog and change streams; null for a standalone,
   * which has neither. The default is a set.
   */
  readonly replicaSet?: string | null;
  /** How much history change streams find, at most; the default is 256 MB. */
  readonly oplogBytes?: number;
  /** Added to each reply to hello, or overriding its fields: a server of a replica set, or a mongos, for tests. */
  readonly hello?: Readonly<Record<string, unknown>>;
  /** Called with what was repaired in the data directory at the start. */
  readonly onWarning?: (message: string) => void;
}

export interface MongoServer {
  readonly port: number;
  /** `mongodb://127.0.0.1:PORT/?directConnection=true` */
  readonly url: string;
  /** Ends all connections and closes the files. */
  close(): Promise<void>;
}

/** Starts a server on loopback; fails with a SourceError when the port is taken or the data directory damaged. */
export async function startMongoServer(options: MongoServerOptions = {}): Promise<MongoServer> {
  const { hello = {}, replicaSet: setName = defaultSetName, oplogBytes = defaultOplogBytes } = options;
  const catalog = new Catalog(options.dataDir, options.onWarning ?? (() => undefined), oplogBytes);
  const { history, last } = catalog.history;
  // A standalone keeps the journal, and no history for others to read.
  const oplog = setName === null ? new Oplog(0, [], last) : new Oplog(oplogBytes, history, last);
  const topologyVersion = new TopologyVersion();
  const replicaSet = setName === null ? undefined : new ReplicaSet(setName, oplog, topologyVersion);
  const state: ServerState = {
    catalog,
    cursors: new Cursors(),
    failPoints: new FailPoints(),
    retryableWrites: new RetryableWrites(),
    writes: new WriteLog(oplog, catalog.journal),
    replicaSetFaults: new ReplicaSetFaults(catalog, oplog),
    topologyVersion,
    replicaSet,
    hello,
  };
  const closing = new AbortController();
  const connections = new Map<Socket, Promise<void>>();
  let lastConnectionId = 0;
  const server = createServer({ noDelay: true }, (socket) => {
    const ended = new AbortController();
    socket.once('close', () => {
      ended.abort();
    });
    const connection: ConnectionState = {
      id: ++lastConnectionId,
      appName: undefined,
      toldTopology: undefined,
      ended: ended.signal,
    };
    const served = serve(socket, state, connection, closing.signal).finally(() => {
      connections.delete(socket);
    });
    connections.set(socket, served);
  });
  let port: number;
  try {
    if (history.length === 0) state.writes.begin();
    port = await listen(server, options.port ?? 0);
  } catch (error) {
    catalog.close();
    throw error;
  }
  if (replicaSet !== undefined) {
    replicaSet.host = `${host}:${port}`;
    replicaSet.oplog.startNoops();
  }
  let closed: Promise<void> | undefined;
  return {
    port,
    url: `mongodb://${host}:${port}/?directConnection=true`,
    close() {
      closed ??= (async () => {
        closing.abort();
        const isClosed = once(server, 'close');
        server.close();
        for (const socket of connections.keys()) {
          socket.destroy();
        }
        await Promise.all(connections.values());
        await isClosed;
        replicaSet?.stop();
        catalog.close();
      })();
      return closed;
    },
  };
}

async function listen(server: Server, port: number): Promise<number> {
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    throw new SourceError(`the embedded MongoDB server cannot listen on ${host}:${port}`, {
      code: 'EMBEDDED_PORT_TAKEN',
      fix: 'Choose another port, or stop what uses this one.',
      cause: error,
    });
  }
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : port;
}

/** Answers a connection's requests one after another until either side ends it; never rejects. */
async function serve(
  socket: Socket,
  state: ServerState,
  connection: ConnectionState,
  closing: AbortSignal,
): Promise<void> {
  const reader = new MessageReader();
  const { replicaSet } = state;
  const room = new ReplyBuffer();
  try {
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      for (const message of reader.push(chunk)) {
        let responseTo = readRequestId(message);
        connection.toldTopology = undefined;
        let isMoreToCome;
        do {
          const { outcome, isReplyWanted, isLegacy, isExhaust } = await handle(
            message,
            state,
            connection,
            closing,
          );
          if (outcome === 'closeConnection') {
            return;
          }
          isMoreToCome = isExhaust && !connection.ended.aborted;
          if (isReplyWanted) {
            const times =
              replicaSet && replyTimes.encode(replicaSet.oplog.clock.last, replicaSet.oplog.lastTime);
            const reply = encodeReply(outcome, { responseTo, isLegacy, isMoreToCome, times }, room);
            responseTo = readRequestId(reply);
            await send(socket, reply);
          }
        } while (isMoreToCome);
      }
    }
  } catch {
    // The bytes were no messages, the client has disconnected, or the server closes: no reply is possible.
  } finally {
    socket.destroy();
  }
}

interface Handled {
  readonly outcome: Outcome;
  readonly isReplyWanted: boolean;
  readonly isLegacy: boolean;
  /** The request is answered again when the state changes: a streaming hello. */
  readonly isExhaust: boolean;
}

async function handle(
  message: Buffer,
  state: ServerState,
  connection: ConnectionState,
  closing: AbortSignal,
): Promise<Handled> {
  let request;
  try {
    request = parseRequest(message);
  } catch (error) {
    if (error instanceof MalformedMessageError || !(error instanceof QueryError)) {
      throw error;
    }
    const outcome = replyError(error, state.topologyVersion);
    return { outcome, isReplyWanted: true, isLegacy: false, isExhaust: false };
  }
  const outcome = await answer(request, state, connection, closing);
  const { isReplyWanted, isLegacy, isExhaustAllowed } = request;
  const isTold = outcome !== 'closeConnection' && 'document' in outcome && outcome.document.ok === 1;
  const isExhaust = isExhaustAllowed && isTold && connection.toldTopology !== undefined;
  return { outcome, isReplyWanted, isLegacy, isExhaust };
}

/** Resolves when the operating system has the reply, so that a slow client holds one reply at most. */
function send(socket: Socket, reply: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.write(reply, (error) => {
      if (error == null) {
        resolve();
      } else {
        reject(error);
      }
    });
  });
}
