/** Finds a port on loopback: that of the last start if it is free, so that a line in a shell's history stays valid. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { hasCode } from '../../../src/common/fs-errors.ts';

/** Only checks: another process may take the port before the caller listens on it, which the caller must handle. */
export async function findFreePort(preferredPort = 0): Promise<number> {
  try {
    return await probePort(preferredPort);
  } catch (error) {
    if (preferredPort !== 0 && hasCode(error, 'EADDRINUSE', 'EACCES')) return await probePort(0);
    throw error;
  }
}

async function probePort(port: number): Promise<number> {
  const server = createServer();
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return address.port;
}
