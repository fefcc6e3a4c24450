/** Several hosts, which are processes of this machine: one leads, and the others join it. */

import { formatPlural } from '../../src/common/format.ts';
import type { Contestant } from './contestant.ts';
import type { Place } from './place.ts';
import { effortOf, runCommand } from './tool.ts';

/** @param workers of each host; undefined: the default */
export function createHosts(count: number, workers?: number): Contestant {
  const env = { CLUSTER_SIZE: workers === undefined ? '' : String(workers) };
  const size = workers === undefined ? 'default workers' : formatPlural(workers, 'worker');
  return {
    name: `mongo2pg, ${formatPlural(count, 'host')}, ${size} each`,
    run: async (place) => {
      const startedMs = performance.now();
      const [{ event }] = await Promise.all([
        runCommand(place, ['--hosts'], env, 'summary'),
        ...Array.from({ length: count - 1 }, () => join(place, env)),
      ]);
      // Until all of them have ended.
      return effortOf(event, performance.now() - startedMs);
    },
  };
}

async function join(place: Place, env: Readonly<Record<string, string>>): Promise<void> {
  try {
    await runCommand(place, ['join'], env, 'host-joined');
  } catch (cause) {
    const reason = 'a host has not joined: with few documents the leader ends before; raise --amount';
    throw new Error(reason, { cause });
  }
}
