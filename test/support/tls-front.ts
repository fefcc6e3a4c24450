/** TLS in front of a server that has none, as a load balancer does it. */

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { createServer } from 'node:tls';
import type { Certificate } from './certificates.ts';

export interface TlsFront {
  readonly port: number;
  /** Subjects of the client certificates; empty for clients without one. */
  readonly clients: readonly string[];
  close(): Promise<void>;
}

/**
 * @param port of the server behind it, on loopback
 * @param clientAuthority path of the CA whose certificates clients must have; without it they need none
 */
export async function startTlsFront(
  port: number,
  certificate: Certificate,
  clientAuthority?: string,
): Promise<TlsFront> {
  const sockets = new Set<Socket>();
  const clients: string[] = [];
  const server = createServer(
    {
      cert: readFileSync(certificate.cert),
      key: readFileSync(certificate.key),
      ...(clientAuthority === undefined
        ? {}
        : { ca: readFileSync(clientAuthority), requestCert: true, rejectUnauthorized: true }),
    },
    (client) => {
      const { subject } = client.getPeerCertificate() as { subject?: { CN: string } };
      clients.push(subject?.CN ?? '');
      const behind = connect(port, '127.0.0.1');
      for (const socket of [client, behind]) {
        sockets.add(socket);
        socket.once('close', () => {
          sockets.delete(socket);
          client.destroy();
          behind.destroy();
        });
        // `close` follows in any case.
        socket.on('error', () => undefined);
      }
      client.pipe(behind).pipe(client);
    },
  );
  // A failed handshake: the client gets an alert.
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    clients,
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
