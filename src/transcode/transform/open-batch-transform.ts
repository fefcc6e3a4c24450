/** Imports the modules for transforms only if a plan needs them, so that other workers start faster. */

import type { Plan } from '../plan.ts';
import type { BatchTransform } from './batch-transform.ts';

/** Half of the default of WORKER_TIMEOUT_SECONDS, so that an endless transform is stopped before its worker is killed. */
const defaultTimeoutMs = 30_000;

/**
 * @returns null without a transform
 * @throws UsageError if the module of the transform is missing or has changed
 */
export async function openBatchTransform(
  plan: Plan,
  documentTimeoutMs = defaultTimeoutMs,
): Promise<BatchTransform | null> {
  if (plan.transform === undefined && plan.changes === undefined) return null;
  const { createBatchTransform } = await import('./batch-transform.ts');
  return await createBatchTransform(plan, documentTimeoutMs);
}
