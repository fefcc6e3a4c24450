/** The pool that the settings ask for. */

import type { ClusterImplementation } from '../../config/config.ts';
import type { Pool } from './pool.ts';
import { workerCode, type WorkerCode } from './worker-code.ts';

/** @param code what the workers run; a test has its own */
export async function createPool(
  implementation: ClusterImplementation,
  code: WorkerCode = workerCode,
): Promise<Pool> {
  // Each loaded only where it is asked for.
  switch (implementation) {
    case 'cluster':
      return (await import('./cluster.ts')).createClusterPool(code.process);
    case 'threads':
      return (await import('./threads.ts')).createThreadPool(code.thread);
    case 'inline':
      return (await import('./inline.ts')).createInlinePool(await code.inline());
  }
}
