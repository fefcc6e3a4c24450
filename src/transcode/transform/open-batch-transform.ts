/** Loads what transforms documents, only where a plan has it: a worker that starts has other things to load. */

import type { Plan } from '../plan.ts';
import type { BatchTransform } from './batch-transform.ts';

/** Half of WORKER_TIMEOUT_SECONDS where nobody sets that: a worker whose transform does not end is not to be killed for it. */
const defaultTimeoutMs = 30_000;

/**
 * @returns null where documents are encoded as they are
 * @throws UsageError where the module of the transform is not there, or not what it was
 */
export async function openBatchTransform(
  plan: Plan,
  documentTimeoutMs = defaultTimeoutMs,
): Promise<BatchTransform | null> {
  if (plan.transform === undefined && plan.changes === undefined) return null;
  const { createBatchTransform } = await import('./batch-transform.ts');
  return await createBatchTransform(plan, documentTimeoutMs);
}
