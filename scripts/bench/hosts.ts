/** Several hosts, which are processes of this machine: one leads, and the others join it. */

import type { Contestant } from './contestant.ts';
import { runCommand } from './tool.ts';

/** @param workers of each host; undefined: the default */
export function createHosts(count: number, workers?: number): Contestant {
  const env = { CLUSTER_SIZE: workers === undefined ? '' : String(workers) };
  const size =
    workers === undefined ? 'default workers' : `${workers} ${workers === 1 ? 'worker' : 'workers'}`;
  return {
    name: `mongo2pg, ${count} ${count === 1 ? 'host' : 'hosts'}, ${size} each`,
    run: async (place) => {
      const startedMs = performance.now();
      const [{ event }] = await Promise.all([
        runCommand(place, ['--hosts'], env, 'summary'),
        ...Array.from({ length: count - 1 }, () => runCommand(place, ['join'], env, 'host-joined')),
      ]);
      // All have ended; the leader is the last to finish its work.
      const wallMs = performance.now() - startedMs;
      const { planMs, loadMs, indexMs, primaryPeakRssBytes, workerPeakMemoryBytes } = event;
      return {
        wallMs,
        stepsMs: { plan: planMs, load: loadMs, key: indexMs, rest: wallMs - planMs - loadMs - indexMs },
        peakBytes: { primary: primaryPeakRssBytes, worker: Math.max(...workerPeakMemoryBytes) },
      };
    },
  };
}
