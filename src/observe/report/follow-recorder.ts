/** Records following for the report, in bounded memory even over months. */

import type { Clock } from '../../common/clock.ts';
import type { FollowingEvent } from '../follow-events.ts';
import type { FollowSection } from './report.ts';
import { TimeSeries } from './time-series.ts';

/** Events come about once a second, so shorter intervals have no data. */
const intervalMs = 1_000;
const maxPoints = 240;

export class FollowRecorder {
  readonly #clock: Clock;
  readonly #startMs: number;
  readonly #series: TimeSeries;
  #toldMs: number;
  #latest: FollowingEvent;
  #isCutOver = false;

  /** @param first the first event of the section */
  constructor(clock: Clock, first: FollowingEvent) {
    this.#clock = clock;
    this.#startMs = clock.nowMs();
    this.#toldMs = this.#startMs;
    this.#series = new TimeSeries(this.#startMs, maxPoints, intervalMs);
    this.#latest = { ...first, documentsMerged: 0 };
    this.update(first);
  }

  update(event: FollowingEvent): void {
    const nowMs = this.#clock.nowMs();
    // Fewer than before: following was restarted after a collection was copied.
    const before = event.documentsMerged < this.#latest.documentsMerged ? 0 : this.#latest.documentsMerged;
    this.#series.add('changes', this.#toldMs, nowMs, event.documentsMerged - before);
    this.#series.raise('lag', nowMs, event.lagMs);
    this.#series.raise('journal', nowMs, event.waiting);
    this.#toldMs = nowMs;
    this.#latest = event;
  }

  cutOver(): void {
    this.#isCutOver = true;
  }

  read(): FollowSection {
    const endMs = this.#clock.nowMs() - this.#startMs;
    this.#series.extend(this.#startMs + endMs);
    return {
      latest: this.#latest,
      isCutOver: this.#isCutOver,
      endMs,
      series: {
        intervalMs: this.#series.intervalMs,
        changes: this.#series.read('changes'),
        lagMs: this.#series.read('lag'),
        journalRows: this.#series.read('journal'),
      },
    };
  }
}
