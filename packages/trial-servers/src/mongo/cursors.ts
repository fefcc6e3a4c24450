/** Open cursors: their remaining documents, by cursor id. */
import { randomBytes } from 'node:crypto';
import type { Batch } from './batch.ts';
import { CommandError, ErrorCode } from './errors.ts';

/** Where a cursor's documents come from. */
export interface BatchSource {
  /** Adds up to `maxDocuments` documents to the batch; true when none is left after it. */
  fill(batch: Batch, maxDocuments: number): boolean;
}

export interface Cursor {
  readonly id: bigint;
  readonly namespace: string;
  readonly source: BatchSource;
  lastUsedMs: number;
  /** Whether a command waits on it: it must be alone. */
  isInUse: boolean;
  isKilled: boolean;
  /** Called when it is killed. */
  onKilled: (() => void) | undefined;
}

/** As mongod's cursorTimeoutMillis: the cursors of a lost client are closed. */
const idleTimeoutMs = 10 * 60 * 1000;

export class Cursors {
  readonly #open = new Map<bigint, Cursor>();

  open(namespace: string, source: BatchSource): Cursor {
    const now = Date.now();
    for (const [id, cursor] of this.#open) {
      if (!cursor.isInUse && now - cursor.lastUsedMs > idleTimeoutMs) {
        this.#open.delete(id);
      }
    }
    const cursor: Cursor = {
      id: createId(),
      namespace,
      source,
      lastUsedMs: now,
      isInUse: false,
      isKilled: false,
      onKilled: undefined,
    };
    this.#open.set(cursor.id, cursor);
    return cursor;
  }

  get(id: bigint, namespace: string): Cursor {
    const cursor = this.#open.get(id);
    if (cursor === undefined) {
      throw new CommandError(ErrorCode.cursorNotFound, `cursor id ${id.toString()} not found`);
    }
    if (cursor.namespace !== namespace) {
      throw new CommandError(
        ErrorCode.unauthorized,
        `Requested getMore on namespace '${namespace}', but cursor belongs to a different namespace ${cursor.namespace}`,
      );
    }
    cursor.lastUsedMs = Date.now();
    return cursor;
  }

  /** Locks the cursor for a command that waits; returns a function that releases it. */
  use(cursor: Cursor): () => void {
    if (cursor.isInUse) {
      throw new CommandError(ErrorCode.cursorInUse, `cursor id ${cursor.id.toString()} is already in use`);
    }
    cursor.isInUse = true;
    return () => {
      cursor.isInUse = false;
      cursor.lastUsedMs = Date.now();
    };
  }

  /** False when there is no such cursor. */
  close(id: bigint): boolean {
    const cursor = this.#open.get(id);
    if (cursor !== undefined) {
      cursor.isKilled = true;
      cursor.onKilled?.();
    }
    return this.#open.delete(id);
  }
}

/** Positive and not 0, which on the wire means that there is no cursor. */
function createId(): bigint {
  return (randomBytes(8).readBigUInt64LE() >> 1n) | 1n;
}
