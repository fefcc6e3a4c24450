/** Publishes the pace of this process in the ledger, and applies changes that are made there. */

import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { systemClock } from '../../common/clock.ts';
import type { RunEvent } from '../../observe/events.ts';
import type { Session } from '../../postgres/connection/session.ts';
import { announcePace, takePace, withdrawPace } from '../../postgres/ledger/paces.ts';
import type { Database } from '../../source/database.ts';
import { describePace, readPace, SourcePace, writePace, type PaceConfig } from './source-pace.ts';

/** The pace of a shorter job need not be published. */
const pollIntervalMs = 1_000;

export interface PacedJob {
  readonly config: PaceConfig;
  readonly database: Database;
  /** For the ledger; used once a second. */
  readonly session: Session;
  /** What the process does, for messages. */
  readonly work: string;
  readonly onEvent: (event: RunEvent) => void;
  readonly signal: AbortSignal;
}

/** Calls `use` with a database whose readers obey the pace. */
export async function withPace<T>(job: PacedJob, use: (database: Database) => Promise<T>): Promise<T> {
  const pace = new SourcePace(job.config, job.database, job.signal);
  const keeper = new PaceKeeper(job, pace);
  try {
    return await use(pace.database);
  } finally {
    await keeper.close();
    await pace.close();
  }
}

class PaceKeeper {
  readonly #job: PacedJob;
  readonly #pace: SourcePace;
  readonly #process = randomUUID();
  #isAnnounced = false;
  #isClosed = false;
  #stopTimer: () => void = () => undefined;
  #polling: Promise<void> = Promise.resolve();

  constructor(job: PacedJob, pace: SourcePace) {
    this.#job = job;
    this.#pace = pace;
    this.#plan();
  }

  /** Resolves when the row of this process is removed from the ledger. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopTimer();
    await this.#polling;
    if (this.#isAnnounced) await this.#try((client) => withdrawPace(client, this.#process));
  }

  #plan(): void {
    if (this.#isClosed) return;
    this.#stopTimer = systemClock.after(pollIntervalMs, () => {
      this.#polling = this.#look();
    });
  }

  async #look(): Promise<void> {
    if (this.#isAnnounced) await this.#try((client) => this.#take(client));
    // What waits, or is refused, writes nothing.
    else if (this.#pace.hasBegun) await this.#try((client) => this.#announce(client));
    this.#plan();
  }

  async #announce(client: pg.Client): Promise<void> {
    await announcePace(client, this.#process, this.#job.work, writePace(this.#pace.pace));
    this.#isAnnounced = true;
  }

  async #take(client: pg.Client): Promise<void> {
    const written = await takePace(client, this.#process);
    if (written === null) return;
    this.#pace.set(readPace(written));
    const message = `the source is now read with ${describePace(written)}`;
    this.#job.onEvent({ kind: 'notice', message });
  }

  /** Errors are ignored: the job meets them itself, and the ledger may not exist yet. */
  async #try(work: (client: pg.Client) => Promise<void>): Promise<void> {
    await this.#job.session.runOnce(work).catch(() => undefined);
  }
}
