/**
 * Measures how a worker spends its time. At each moment it is in one of four states:
 *
 * - transcoding a batch;
 * - stalled: a batch waits, and every connection is waiting for Postgres;
 * - loading: Postgres works on a batch, and no other waits;
 * - idle.
 */

export interface Spent {
  readonly transcodeMs: number;
  /** Waiting for Postgres, stalled or not. */
  readonly loadMs: number;
  readonly stalledMs: number;
}

type Moment = 'transcode' | 'stalled' | 'load' | 'idle';

export class Timesheet {
  readonly #nowMs: () => number;
  #sinceMs: number;
  #idleSinceMs: number;
  #spentMs: Record<Moment, number> = { transcode: 0, stalled: 0, load: 0, idle: 0 };
  /** Batches that were received and not begun. */
  #waiting = 0;
  #isTranscoding = false;
  #loading = 0;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
    this.#sinceMs = nowMs();
    this.#idleSinceMs = this.#sinceMs;
  }

  /** When it last became idle; now, while it is busy. */
  get idleSinceMs(): number {
    return this.#moment === 'idle' ? this.#idleSinceMs : this.#nowMs();
  }

  /** A batch was received. */
  receive(): void {
    this.#change(() => this.#waiting++);
  }

  /** A received batch is begun or skipped; `giveUp` or `load` follows. */
  begin(): void {
    this.#change(() => {
      this.#waiting--;
      this.#isTranscoding = true;
    });
  }

  /** The batch is transcoded, and sent to Postgres. */
  load(): void {
    this.#change(() => {
      this.#isTranscoding = false;
      this.#loading++;
    });
  }

  /** The batch is given up. */
  giveUp(): void {
    this.#change(() => (this.#isTranscoding = false));
  }

  /** Postgres has finished a batch. */
  finish(): void {
    this.#change(() => this.#loading--);
  }

  /** The times since the last call. */
  take(): Spent {
    this.#change(() => undefined);
    const { transcode, stalled, load } = this.#spentMs;
    this.#spentMs = { transcode: 0, stalled: 0, load: 0, idle: 0 };
    return { transcodeMs: transcode, loadMs: stalled + load, stalledMs: stalled };
  }

  get #moment(): Moment {
    if (this.#isTranscoding) return 'transcode';
    if (this.#loading === 0) return 'idle';
    return this.#waiting > 0 ? 'stalled' : 'load';
  }

  #change(change: () => unknown): void {
    const before = this.#moment;
    const nowMs = this.#nowMs();
    this.#spentMs[before] += nowMs - this.#sinceMs;
    this.#sinceMs = nowMs;
    change();
    if (before !== 'idle' && this.#moment === 'idle') this.#idleSinceMs = nowMs;
  }
}
