/** Speed and lag over time, in bounded memory. */

import type { Clock } from '../../common/clock.ts';
import type { FollowingEvent } from '../follow-events.ts';
import { TimeSeries } from '../report/time-series.ts';
import type { LiveHistory } from './live-state.ts';

const maxPoints = 240;
/** Shorter intervals would show each batch as a peak. */
const intervalMs = 1_000;

export class LiveHistoryRecorder {
  readonly #clock: Clock;
  readonly #startMs: number;
  readonly #series: TimeSeries;
  /** For each collection: its documents at the last event, and the time of that. */
  readonly #reported = new Map<string, { readonly documents: number; readonly atMs: number }>();
  #merged = 0;
  #followedMs: number | undefined;
  #reportedMs: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startMs = clock.nowMs();
    this.#series = new TimeSeries(this.#startMs, maxPoints, intervalMs);
  }

  begin(source: string, documents: number): void {
    this.#reported.set(source, { documents, atMs: this.#clock.nowMs() });
  }

  progress(source: string, documents: number): void {
    const nowMs = this.#clock.nowMs();
    const before = this.#reported.get(source) ?? { documents: 0, atMs: nowMs };
    // Fewer than before: a crash of Postgres has undone commits.
    const added = Math.max(0, documents - before.documents);
    this.#series.add('documents', before.atMs, nowMs, added);
    this.#reported.set(source, { documents, atMs: nowMs });
  }

  follow({ documentsMerged, lagMs, waiting }: FollowingEvent): void {
    const nowMs = this.#clock.nowMs();
    this.#followedMs ??= nowMs;
    // Fewer than before: following was restarted.
    const before = documentsMerged < this.#merged ? 0 : this.#merged;
    this.#series.add('changes', this.#reportedMs ?? nowMs, nowMs, documentsMerged - before);
    this.#merged = documentsMerged;
    this.#reportedMs = nowMs;
    this.#series.raise('lag', nowMs, lagMs / 1000);
    this.#series.raise('journal', nowMs, waiting);
  }

  read(): LiveHistory {
    const nowMs = this.#clock.nowMs();
    const series = this.#series;
    series.extend(nowMs);
    const perSecond = (name: string): (number | null)[] => {
      const amounts = series.read(name);
      const isFirst = amounts.length === 1;
      const ms = isFirst ? Math.max(1, nowMs - this.#startMs) : series.intervalMs;
      // The last interval is not over, so its rate would be wrong.
      return amounts.map((amount, index) =>
        index === amounts.length - 1 && !isFirst ? null : Math.round((amount * 1000) / ms),
      );
    };
    const followed = <T>(values: readonly T[]): (T | null)[] => {
      const sinceMs = (this.#followedMs ?? Infinity) - this.#startMs;
      return values.map((value, index) => ((index + 1) * series.intervalMs > sinceMs ? value : null));
    };
    return {
      intervalMs: series.intervalMs,
      documentsPerSecond: perSecond('documents'),
      changesPerSecond: followed(perSecond('changes')),
      lagSeconds: followed(series.read('lag')),
      journalRows: followed(series.read('journal')),
    };
  }
}
