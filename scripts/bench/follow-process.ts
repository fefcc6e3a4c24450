/** This tool, following, in a process of its own, until its status is as expected. */

import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { RunEvent } from '../../src/observe/events.ts';
import type { FollowingEvent } from '../../src/observe/follow-events.ts';
import type { Place } from './place.ts';
import { startTool } from './tool.ts';
import { readMemory, readOwnCpuMs, readServerCpuMs, type ProcessMemory } from './usage.ts';

export interface FollowingOptions {
  readonly workers: number;
  readonly env?: Readonly<Record<string, string>>;
  /** It is stopped when this holds twice in a row: what waits is counted a moment after it was read. */
  readonly isDone: (event: FollowingEvent) => boolean;
  /** Called for each that comes, with the memory of the primary and its workers. */
  readonly onEvent?: (event: FollowingEvent, memory: ProcessMemory) => void;
}

export interface Followed {
  /** From the first event, when the stream is open, until it was done. */
  readonly ms: number;
  /** Processor time meanwhile; null if unknown. */
  readonly primaryCpuMs: number | null;
  readonly postgresCpuMs: number | null;
}

export async function runFollowing(
  place: Place,
  { workers, env = {}, isDone, onEvent }: FollowingOptions,
): Promise<Followed> {
  const child = startTool(place, ['--follow'], { CLUSTER_SIZE: String(workers), ...env });
  const pid = child.pid ?? 0;
  const exited = once(child, 'exit');
  let started: State | null = null;
  let done: Followed | null = null;
  let reached: State | null = null;
  for await (const line of createInterface({ input: child.stdout })) {
    const event = JSON.parse(line) as RunEvent;
    if (event.kind !== 'following') continue;
    started ??= readState(pid, place.postmasterPid);
    onEvent?.(event, readMemory(pid));
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
      primaryCpuMs: reached.primaryMs,
      postgresCpuMs: difference(started.postgresMs, reached.postgresMs),
    };
    child.kill('SIGINT');
  }
  await exited;
  if (done === null) throw new Error('following ended before it was done');
  return done;
}

interface State {
  readonly atMs: number;
  readonly primaryMs: number | null;
  readonly postgresMs: number | null;
}

function readState(pid: number, postmasterPid: number): State {
  return {
    atMs: performance.now(),
    primaryMs: readOwnCpuMs(pid),
    postgresMs: readServerCpuMs(postmasterPid),
  };
}

function difference(before: number | null, after: number | null): number | null {
  return before === null || after === null ? null : after - before;
}
