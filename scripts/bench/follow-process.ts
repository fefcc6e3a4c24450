/** This tool, following, in a process of its own, until its status is as expected. */

import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { RunEvent } from '../../src/observe/events.ts';
import type { FollowingEvent } from '../../src/observe/follow-events.ts';
import type { Place } from './place.ts';
import { startTool } from './tool.ts';
import { readMemory, readTreeCpuMs, type ProcessMemory } from './usage.ts';

export interface FollowingOptions {
  readonly workers: number;
  readonly env?: Readonly<Record<string, string>>;
  /** It is stopped when this holds twice in a row: pending changes are counted a moment after they were read. */
  readonly isDone: (event: FollowingEvent) => boolean;
  /** Called for each event, with the memory of the primary and its workers. */
  readonly onEvent?: (event: FollowingEvent, memory: ProcessMemory) => void;
}

export interface Followed {
  /** From the first event, when the stream is open, until it was done. */
  readonly ms: number;
  /** Processor time meanwhile, that of the primary and its workers first; null if unknown. */
  readonly ownCpuMs: number | null;
  readonly postgresCpuMs: number | null;
  /** The maximum of all its processes together at any event. */
  readonly pssBytes: number;
}

export async function runFollowing(
  place: Place,
  { workers, env = {}, isDone, onEvent }: FollowingOptions,
): Promise<Followed> {
  const child = startTool(place, ['--follow'], { CLUSTER_SIZE: String(workers), ...env });
  const pid = child.pid ?? 0;
  const exited = once(child, 'exit');
  let pssBytes = 0;
  let started: State | null = null;
  let done: Followed | null = null;
  let reached: State | null = null;
  for await (const line of createInterface({ input: child.stdout })) {
    const event = JSON.parse(line) as RunEvent;
    if (event.kind !== 'following') continue;
    started ??= readState(pid, place.postmasterPid);
    const memory = readMemory(pid);
    pssBytes = Math.max(pssBytes, memory.allPss);
    onEvent?.(event, memory);
    if (done !== null) continue;
    if (!isDone(event)) {
      reached = null;
      continue;
    }
    if (reached === null) {
      reached = readState(pid, place.postmasterPid);
      continue;
    }
    done = {
      ms: reached.atMs - started.atMs,
      ownCpuMs: difference(started.ownMs, reached.ownMs),
      postgresCpuMs: difference(started.postgresMs, reached.postgresMs),
      pssBytes,
    };
    child.kill('SIGINT');
  }
  await exited;
  if (done === null) throw new Error('following ended before it was done');
  return done;
}

interface State {
  readonly atMs: number;
  readonly ownMs: number | null;
  readonly postgresMs: number | null;
}

function readState(pid: number, postmasterPid: number): State {
  return {
    atMs: performance.now(),
    ownMs: readTreeCpuMs(pid),
    postgresMs: readTreeCpuMs(postmasterPid),
  };
}

function difference(before: number | null, after: number | null): number | null {
  return before === null || after === null ? null : after - before;
}
