/** Sets a Prometheus counter to a total. */

import type { Counter } from 'prom-client';

/** A lower total than before (a crash of Postgres can undo commits) looks like a counter reset. */
export function setTotal<Label extends string>(
  counter: Counter<Label>,
  labels: Readonly<Record<Label, string>>,
  total: number,
): void {
  counter.remove(labels);
  counter.inc(labels, total);
}
