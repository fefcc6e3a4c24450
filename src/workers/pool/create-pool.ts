/** Creates the worker pools that the settings select. */

import type { ClusterImplementation } from '../../config/config.ts';
import { createInlinePool } from './inline.ts';
import type { Pool } from './pool.ts';
import { workerCode, type WorkerCode } from './worker-code.ts';

/** The pools of a command. */
export interface Pools {
  /** As set by CLUSTER_IMPLEMENTATION. */
  readonly beside: Pool;
  /** In the primary itself, for work that is too small for a fork. */
  readonly inside: Pool;
}

export async function createPools(implementation: ClusterImplementation): Promise<Pools> {
  return { beside: await createPool(implementation), inside: createInlinePool(() => workerCode.inline()) };
}

/** @param code of the workers; tests pass their own */
export async function createPool(
  implementation: ClusterImplementation,
  code: WorkerCode = workerCode,
): Promise<Pool> {
  // Each implementation is loaded only if it is used.
  switch (implementation) {
    case 'cluster':
      return (await import('./cluster.ts')).createClusterPool(code.process);
    case 'threads':
      return (await import('./threads.ts')).createThreadPool(code.thread);
    case 'inline':
      return createInlinePool(() => code.inline());
  }
}
