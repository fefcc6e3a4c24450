/**
 * By which a driver distinguishes newer states of a server from older ones: the process, and how often its state has changed.
 * That of a standalone never does.
 * https://github.com/mongodb/specifications/blob/master/source/server-discovery-and-monitoring/server-monitoring.md
 */
import { Long, ObjectId } from 'bson';
import type { Document } from 'bson';

export class TopologyVersion {
  readonly #processId = new ObjectId();
  #counter = 0;
  readonly #waiters = new Set<() => void>();

  /** How often the state has changed. */
  get counter(): number {
    return this.#counter;
  }

  /** As in replies to hello and errors. */
  describe(): Document {
    return { processId: this.#processId, counter: Long.fromNumber(this.#counter) };
  }

  /** Whether a client with this version is up to date, and may wait. */
  isCurrent(processId: unknown, counter: number): boolean {
    return processId instanceof ObjectId && processId.equals(this.#processId) && counter === this.#counter;
  }

  /** Calls `wake` once, when the state has changed; returns a function that stops listening. */
  onChange(wake: () => void): () => void {
    this.#waiters.add(wake);
    return () => {
      this.#waiters.delete(wake);
    };
  }

  /** The state has changed. */
  advance(): void {
    this.#counter++;
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const wake of waiters) {
      wake();
    }
  }
}

/** Errors about a change of a server's state include its version: that it is no primary, or is shutting down. */
const stateChangeCodes = new Set([91, 189, 10058, 10107, 11600, 11602, 13435, 13436]);

export function isStateChange(code: number): boolean {
  return stateChangeCodes.has(code);
}
