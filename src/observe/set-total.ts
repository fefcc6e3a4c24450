/** Counters of Prometheus that are told their totals. */

import type { Counter } from 'prom-client';

/** One that is less than before, as when a crash of Postgres took commits back, reads as a reset. */
export function setTotal<Label extends string>(
  counter: Counter<Label>,
  labels: Readonly<Record<Label, string>>,
  total: number,
): void {
  counter.remove(labels);
  counter.inc(labels, total);
}
