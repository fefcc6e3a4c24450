/** A program that fills the table: its name, and the resources of a run. */

import type { Input } from './input.ts';
import { PeakPss } from './memory.ts';
import type { Place } from './place.ts';
import { readEndedChildrenCpuMs, readTreeCpuMs } from './usage.ts';

export interface Contestant {
  readonly name: string;
  /** Contestants with the same word make equal tables; without one, that of the unchanged documents. */
  readonly table?: string;
  /** Called once, while the table holds all rows. */
  prepare?(place: Place): Promise<void>;
  /** Creates and fills the table. */
  run(place: Place, input: Input): Promise<Effort>;
}

/** What a contestant reports of its run; the processor time of its processes is measured from outside. */
export interface Effort {
  readonly wallMs: number;
  /** What this process itself used for it, where the contestant is not a process of its own. */
  readonly ownCpuMs?: number;
  /** What its first process used, where it has workers of which the rest is. */
  readonly primaryCpuMs?: number | null;
  readonly peakBytes?: { readonly primary: number; readonly worker?: number };
  /** By step, such as `load`. */
  readonly stepsMs?: Readonly<Record<string, number>>;
}

export interface Run extends Effort {
  /** Of all its processes together; null if the system does not report it. */
  readonly cpuMs: number | null;
  /** The most that its processes had together; null if it has none of its own, or the system does not report it. */
  readonly pssBytes: number | null;
  readonly postgresCpuMs: number | null;
  readonly mongoCpuMs: number | null;
}

export function runContestant(contestant: Contestant, place: Place, input: Input): Promise<Run> {
  return watch(place, () => contestant.run(place, input));
}

/** Runs it, and takes the processor time and the memory that it costs from outside. */
export async function watch(place: Place, run: () => Promise<Effort>): Promise<Run> {
  const read = (): (number | null)[] => [
    readEndedChildrenCpuMs(),
    readTreeCpuMs(place.postmasterPid),
    readTreeCpuMs(place.mongoPid),
  ];
  const before = read();
  const { effort, pssBytes } = await watchMemory(run);
  const [children = null, postgresCpuMs = null, mongoCpuMs = null] = read().map((now, index) => {
    const then = before[index] ?? null;
    return now === null || then === null ? null : now - then;
  });
  const cpuMs = children === null ? null : children + (effort.ownCpuMs ?? 0);
  return { ...effort, cpuMs, pssBytes, postgresCpuMs, mongoCpuMs };
}

async function watchMemory(run: () => Promise<Effort>): Promise<{ effort: Effort; pssBytes: number | null }> {
  const memory = new PeakPss();
  try {
    const effort = await run();
    return { effort, pssBytes: memory.stop() };
  } finally {
    memory.stop();
  }
}
