/**
 * Where a worker's time goes. Every moment is one of four, whatever else is under way at the same time:
 *
 * - transcoding a batch;
 * - stalled: a batch is there, and every connection waits for Postgres;
 * - loading: Postgres is at a batch, and no other is there;
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
  /** Batches that are there and not begun. */
  #waiting = 0;
  #isTranscoding = false;
  #loading = 0;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
    this.#sinceMs = nowMs();
    this.#idleSinceMs = this.#sinceMs;
  }

  /** When it last began to have nothing to do; now, while it has. */
  get idleSinceMs(): number {
    return this.#moment === 'idle' ? this.#idleSinceMs : this.#nowMs();
  }

  /** A batch came in. */
  receive(): void {
    this.#change(() => this.#waiting++);
  }

  /** A batch that came in is begun, or is not to be done at all: `end` or `load` follows. */
  begin(): void {
    this.#change(() => {
      this.#waiting--;
      this.#isTranscoding = true;
    });
  }

  /** The batch that was begun is transcoded, and goes to Postgres. */
  load(): void {
    this.#change(() => {
      this.#isTranscoding = false;
      this.#loading++;
    });
  }

  /** Nothing more is done for the batch that was begun. */
  giveUp(): void {
    this.#change(() => (this.#isTranscoding = false));
  }

  /** Postgres is done with one. */
  finish(): void {
    this.#change(() => this.#loading--);
  }

  /** What was spent since the last call. */
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
