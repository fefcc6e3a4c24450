/** The pools that the settings ask for. */

import type { ClusterImplementation } from '../../config/config.ts';
import { createInlinePool } from './inline.ts';
import type { Pool } from './pool.ts';
import { workerCode, type WorkerCode } from './worker-code.ts';

/** Where workers come from. */
export interface Pools {
  /** As the settings say. */
  readonly beside: Pool;
  /** In the primary itself, for what is too little to fork for. */
  readonly inside: Pool;
}

export async function createPools(implementation: ClusterImplementation): Promise<Pools> {
  return { beside: await createPool(implementation), inside: createInlinePool(() => workerCode.inline()) };
}

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
      return createInlinePool(() => code.inline());
  }
}
