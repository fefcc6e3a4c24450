/**
 * Errors of commands with raw BSON replies. In their errors, the driver leaves documents raw as well, such as
 * `topologyVersion`, which it uses to recognize new states of a server. The second error of a kind made it throw a
 * TypeError, and a server that had stepped down stayed the primary for it (mongodb 7.9).
 */

import { deserialize } from 'bson';
import type { CommandFailedEvent, MongoClient } from 'mongodb';

/** Without this, the driver emits no event for failed commands. */
export const eventOptions = { monitorCommands: true } as const;

/** The driver failed while handling an error of the server. The next command may succeed. */
export class DriverFaultError extends Error {
  override readonly name = 'DriverFaultError';

  constructor(cause: unknown) {
    super(`the driver failed (${String(cause)})`, { cause });
  }
}

/** Decodes the errors of a client before the driver reads them. */
export function decodeErrors(client: MongoClient): void {
  client.on('commandFailed', ({ failure }: CommandFailedEvent) => {
    const fields = failure as unknown as Record<string, unknown>;
    for (const [name, value] of Object.entries(fields)) {
      // Only raw documents are Uint8Arrays: binary data is a Binary.
      if (value instanceof Uint8Array) fields[name] = tryDecode(value);
    }
  });
}

/** @throws DriverFaultError for a TypeError of the driver; other errors unchanged */
export function rethrow(error: unknown): never {
  throw error instanceof TypeError ? new DriverFaultError(error) : error;
}

function tryDecode(bytes: Uint8Array): unknown {
  try {
    return deserialize(bytes);
  } catch {
    return bytes;
  }
}
