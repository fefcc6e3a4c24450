/**
 * A small MongoDB server for trying mongo2pg out, for its tests and its benchmarks. It is not a database for
 * production: it binds to loopback only, checks no password, knows the few commands that are needed for this, and
 * keeps all documents in memory (and, with a data directory, in files that it appends to). Indexes, views, time series
 * and validators are kept and told; only the index of `_id` is used and enforced.
 */
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { SourceError } from '../../errors.ts';
import { Catalog } from './catalog.ts';
import type { ConnectionState, ServerState } from './commands/command.ts';
import { Cursors } from './cursors.ts';
import { answer, replyError } from './dispatch.ts';
import type { Outcome } from './dispatch.ts';
import { QueryError } from '../../match/errors.ts';
import { MalformedMessageError } from './errors.ts';
import { FailPoints } from './failpoints.ts';
import { encodeReply, parseRequest, readRequestId } from './message.ts';
import { ReplyBuffer } from './reply-buffer.ts';
import { createTopologyVersion } from './topology-version.ts';
import { MessageReader } from './message-reader.ts';

const host = '127.0.0.1';

export interface MongoServerOptions {
  /** Where collections are kept, as mongodump-style files; without it they are in memory only. */
  readonly dataDir?: string;
  /** 0, the default, takes any free port. */
  readonly port?: number;
  /** Added to each reply to hello, or in place of what is there: a server of a replica set, or a mongos, for tests. */
  readonly hello?: Readonly<Record<string, unknown>>;
  /** Told what had to be repaired in the data directory at the start. */
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
  const catalog = new Catalog(options.dataDir, options.onWarning ?? (() => undefined));
  const { hello = {} } = options;
  const state: ServerState = {
    catalog,
    cursors: new Cursors(),
    failPoints: new FailPoints(),
    topologyVersion: createTopologyVersion(),
    hello,
  };
  const closing = new AbortController();
  const connections = new Map<Socket, Promise<void>>();
  let lastConnectionId = 0;
  const server = createServer({ noDelay: true }, (socket) => {
    const connection: ConnectionState = { id: ++lastConnectionId, appName: undefined };
    const served = serve(socket, state, connection, closing.signal).finally(() => {
      connections.delete(socket);
    });
    connections.set(socket, served);
  });
  const port = await listen(server, options.port ?? 0).catch((error: unknown) => {
    catalog.close();
    throw error;
  });
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
  const room = new ReplyBuffer();
  try {
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      for (const message of reader.push(chunk)) {
        for (let isMoreToCome = true; isMoreToCome;) {
          const { outcome, isReplyWanted, isLegacy } = await handle(message, state, connection, closing);
          if (outcome === 'closeConnection') {
            return;
          }
          if (isReplyWanted) {
            await send(socket, encodeReply(outcome, readRequestId(message), isLegacy, room));
          }
          isMoreToCome = 'document' in outcome && outcome.isMoreToCome === true;
        }
      }
    }
  } catch {
    // The bytes were no messages, the client is gone, or the server closes: nobody is left to tell.
  } finally {
    socket.destroy();
  }
}

async function handle(
  message: Buffer,
  state: ServerState,
  connection: ConnectionState,
  closing: AbortSignal,
): Promise<{ outcome: Outcome; isReplyWanted: boolean; isLegacy: boolean }> {
  let request;
  try {
    request = parseRequest(message);
  } catch (error) {
    if (error instanceof MalformedMessageError || !(error instanceof QueryError)) {
      throw error;
    }
    return { outcome: replyError(error, state.topologyVersion), isReplyWanted: true, isLegacy: false };
  }
  const outcome = await answer(request, state, connection, closing);
  return { outcome, isReplyWanted: request.isReplyWanted, isLegacy: request.isLegacy };
}

/** Resolves when the reply is handed to the operating system, so that a slow client holds one reply at most. */
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
