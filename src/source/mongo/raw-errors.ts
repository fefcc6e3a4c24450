/**
 * Errors of commands whose replies are asked for as raw BSON. The driver then leaves the documents in an error raw as well,
 * `topologyVersion` among them, by which it tells news of a server from what it knew: the second error of a kind made it
 * throw a TypeError, and the server that had stepped down stayed the primary to it (mongodb 7.9).
 */

import { deserialize } from 'bson';
import type { CommandFailedEvent, MongoClient } from 'mongodb';

/** Without them the driver does not tell of failed commands. */
export const eventOptions = { monitorCommands: true } as const;

/** The driver broke over an error of the server. The next command may find the server as it is by then. */
export class DriverFaultError extends Error {
  override readonly name = 'DriverFaultError';

  constructor(cause: unknown) {
    super(`the driver failed (${String(cause)})`, { cause });
  }
}

/** Has the errors of a client decoded before the driver looks at them. */
export function decodeErrors(client: MongoClient): void {
  client.on('commandFailed', ({ failure }: CommandFailedEvent) => {
    const fields = failure as unknown as Record<string, unknown>;
    for (const [name, value] of Object.entries(fields)) {
      // Raw documents alone are such bytes: binary data is a Binary.
      if (value instanceof Uint8Array) fields[name] = tryDecode(value);
    }
  });
}

/** @throws DriverFaultError for an error that the driver did not mean to throw; what it did, as it is */
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
