/**
 * Retryable writes: a client that lost the reply to a write sends it again with the same number, and what was done
 * already is not done twice.
 *
 * https://github.com/mongodb/specifications/blob/master/source/retryable-writes/retryable-writes.md
 */
import type { Document } from 'bson';
import { CommandError, ErrorCode } from '../errors.ts';

/** The results of the statements of one write; each has a number. */
export class StatementLog {
  /** Statements [from, to) that each inserted or deleted one document. */
  readonly #singles: { from: number; to: number }[] = [];
  readonly #outcomes = new Map<number, Document>();

  /** Whether nothing of the write was done before. */
  get isEmpty(): boolean {
    return this.#singles.length === 0 && this.#outcomes.size === 0;
  }

  /** The outcome of a statement that was done before; undefined when it was not. */
  find(statement: number): Document | undefined {
    const outcome = this.#outcomes.get(statement);
    if (outcome !== undefined) {
      return outcome;
    }
    return this.#singles.some(({ from, to }) => statement >= from && statement < to) ? { n: 1 } : undefined;
  }

  /** Statements [from, to) that changed one document each. */
  addSingles(from: number, to: number): void {
    const last = this.#singles.at(-1);
    if (last?.to === from) {
      last.to = to;
    } else if (to > from) {
      this.#singles.push({ from, to });
    }
  }

  add(statement: number, outcome: Document): void {
    this.#outcomes.set(statement, outcome);
  }
}

interface Session {
  readonly txnNumber: bigint;
  readonly statements: StatementLog;
}

/** More than any client has; the one that wrote longest ago goes first. */
const maxSessions = 10_000;

export class RetryableWrites {
  readonly #sessions = new Map<string, Session>();

  /** Begins a write, or continues one whose result the client does not know. */
  begin(sessionId: string, txnNumber: bigint): StatementLog {
    const session = this.#sessions.get(sessionId);
    if (session !== undefined && txnNumber < session.txnNumber) {
      throw new CommandError(
        ErrorCode.transactionTooOld,
        `Retryable write with txnNumber ${txnNumber.toString()} is prohibited on session ${Buffer.from(sessionId, 'latin1').toString('hex')} because a newer ` +
          `retryable write with txnNumber ${session.txnNumber.toString()} has already started on this session.`,
      );
    }
    const current =
      session?.txnNumber === txnNumber ? session : { txnNumber, statements: new StatementLog() };
    // The map is in the order of use.
    this.#sessions.delete(sessionId);
    this.#sessions.set(sessionId, current);
    if (this.#sessions.size > maxSessions) {
      const [oldest = ''] = this.#sessions.keys();
      this.#sessions.delete(oldest);
    }
    return current.statements;
  }

  end(sessionId: string): void {
    this.#sessions.delete(sessionId);
  }
}
