/** A TCP proxy on loopback (or behind a Unix socket), as a double for a network that is slow, goes silent, resets or refuses. */

import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { toHost } from './mongo-url.ts';

const loopback = '127.0.0.1';

export interface Proxy {
  /** 0 behind a Unix socket. */
  readonly port: number;
  /** The same URL through the proxy. */
  url(direct: string): string;
  /** Bytes forwarded so far, in all connections. */
  readonly bytes: Readonly<Record<Direction, number>>;
  /** How many connections there are now. */
  readonly connections: number;
  /**
   * Half-open: connections stay and nothing is forwarded, not even their end, either way. New ones are accepted and never
   * answered. A silenced connection stays so, as behind a firewall that has dropped its state. With a direction,
   * the other one is still forwarded: a server executes commands, and its answers are lost.
   */
  goSilent(direction?: Direction): void;
  /** Resets all connections. */
  cut(): void;
  /** Resets all connections instead of forwarding the next client data that contains these words. @returns when that happened */
  cutAt(words: string): Promise<void>;
  /** Refuses new connections from now on; existing ones stay. */
  refuse(): void;
  /** Accepts new connections again. */
  restore(): Promise<void>;
  close(): Promise<void>;
}

type Direction = 'toServer' | 'toClient';

export interface ProxyOptions {
  /** The server's, on loopback. */
  readonly port: number;
  /** Listens on this address of the machine instead of loopback. */
  readonly address?: string;
  /** Listens on this Unix socket instead, which is missing while it refuses. */
  readonly path?: string;
  /** Added to each round trip, half of it each way; bandwidth stays what it is. */
  readonly latencyMs?: number;
  /** Changes the server's data: each chunk by itself, as it arrives. */
  readonly rewrite?: (piece: Buffer) => Buffer;
}

export async function startProxy({
  port: serverPort,
  path,
  address: host = loopback,
  latencyMs = 0,
  rewrite = (piece) => piece,
}: ProxyOptions): Promise<Proxy> {
  const links = new Set<Link>();
  const bytes = { toServer: 0, toClient: 0 };
  let isSilent = false;
  let trap: { readonly words: string; readonly spring: () => void } | undefined;
  const hear = (piece: Buffer): boolean => {
    if (trap === undefined || !piece.includes(trap.words)) return true;
    trap.spring();
    return false;
  };
  const accept = (client: Socket): void => {
    const link = new Link(client, isSilent ? undefined : serverPort, latencyMs / 2, bytes, rewrite, hear);
    links.add(link);
    void link.ended.then(() => links.delete(link));
  };
  let server = await listen(path ?? 0, host, accept);
  const address = server.address();
  const port = address === null || typeof address === 'string' ? 0 : address.port;
  return {
    port,
    bytes,
    url(direct) {
      const own = `${host}:${port}`;
      if (direct.startsWith('mongodb:')) return toHost(direct, own);
      const url = new URL(direct);
      url.host = own;
      return url.href;
    },
    get connections() {
      return links.size;
    },
    goSilent(direction) {
      isSilent = true;
      for (const link of links) link.goSilent(direction);
    },
    cut() {
      for (const link of links) link.cut();
    },
    cutAt(words) {
      return new Promise((resolve) => {
        const spring = (): void => {
          trap = undefined;
          for (const link of links) link.cut();
          resolve();
        };
        trap = { words, spring };
      });
    },
    refuse() {
      server.close();
    },
    async restore() {
      isSilent = false;
      if (!server.listening) server = await listen(path ?? port, host, accept);
    },
    async close() {
      server.close();
      for (const link of links) link.cut();
      await Promise.all(Array.from(links, (link) => link.ended));
    },
  };
}

async function listen(
  place: number | string,
  host: string,
  accept: (client: Socket) => void,
): Promise<Server> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, accept);
  if (typeof place === 'string') server.listen(place);
  else server.listen(place, host);
  await once(server, 'listening');
  return server;
}

/** A client's connection and its connection to the server. */
class Link {
  /** Fulfilled when no socket is left. */
  readonly ended: Promise<unknown>;
  readonly #sockets: readonly Socket[];
  readonly #delayMs: number;
  readonly #bytes: Record<Direction, number>;
  readonly #rewrite: (piece: Buffer) => Buffer;
  /** False for data that is not forwarded. */
  readonly #hear: (piece: Buffer) => boolean;
  readonly #silent = new Set<Direction>();

  /** Without a server's port it is silent from the start. */
  constructor(
    client: Socket,
    serverPort: number | undefined,
    delayMs: number,
    bytes: Record<Direction, number>,
    rewrite: (piece: Buffer) => Buffer,
    hear: (piece: Buffer) => boolean,
  ) {
    this.#delayMs = delayMs;
    this.#rewrite = rewrite;
    this.#hear = hear;
    this.#bytes = bytes;
    if (serverPort === undefined) {
      this.#sockets = [client];
      client.resume();
      client.on('error', () => undefined);
    } else {
      const server = connect({ port: serverPort, host: loopback, allowHalfOpen: true, noDelay: true });
      this.#sockets = [client, server];
      this.#relay(client, server, 'toServer');
      this.#relay(server, client, 'toClient');
    }
    this.ended = Promise.all(
      this.#sockets.map(
        (socket) =>
          new Promise<void>((resolve) => {
            socket.once('close', () => {
              resolve();
            });
          }),
      ),
    );
  }

  goSilent(direction?: Direction): void {
    const directions: readonly Direction[] = direction === undefined ? ['toServer', 'toClient'] : [direction];
    for (const each of directions) this.#silent.add(each);
    // A paused socket continues reading, and its data is dropped.
    for (const socket of this.#sockets) socket.resume();
  }

  cut(): void {
    for (const socket of this.#sockets) reset(socket);
  }

  #relay(from: Socket, to: Socket, direction: Direction): void {
    from.on('data', (data) => {
      if (direction === 'toServer' && !this.#hear(data)) return;
      const chunk = direction === 'toClient' ? this.#rewrite(data) : data;
      this.#pass(direction, () => {
        this.#bytes[direction] += chunk.length;
        if (!to.write(chunk)) from.pause();
      });
    });
    to.on('drain', () => from.resume());
    from.on('end', () => {
      this.#pass(direction, () => to.end());
    });
    // Followed by `close`, which forwards the failure.
    from.on('error', () => undefined);
    from.on('close', () => {
      // Both ends have been forwarded already, or one side has failed.
      this.#pass(direction, () => {
        if (!from.readableEnded) reset(to);
      });
    });
  }

  /** Timers of one duration fire in the order in which they were set, so that bytes keep theirs. */
  #pass(direction: Direction, action: () => void): void {
    const unlessSilent = (): void => {
      if (!this.#silent.has(direction)) action();
    };
    if (this.#delayMs === 0) unlessSilent();
    else setTimeout(unlessSilent, this.#delayMs);
  }
}

/** A Unix socket knows no reset, only an end. One that is just sending its end would never close after a reset. */
function reset(socket: Socket): void {
  if (socket.remoteFamily === undefined || socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
