/** Chooses the transform: that of the plan, or that of the settings. */

import type { Config } from '../config/config.ts';
import type { Plan, TransformFile } from '../transcode/plan.ts';
import type { PlanFile } from './file/plan-schema.ts';

/**
 * Call it before anything is written.
 * @returns null if documents are copied unchanged
 * @throws UsageError if the file is not a transform
 */
export async function chooseTransform(
  { transform }: Pick<Config, 'transform'>,
  planFile: PlanFile | null,
): Promise<TransformFile | null> {
  const file = planFile?.transform ?? transform;
  if (file === undefined) return null;
  const { openTransform } = await import('../transcode/transform/transform-file.ts');
  return await openTransform(file);
}

/**
 * The plan of a run, with the current path of the transform.
 * @param file the new path; undefined if it was not moved
 * @throws UsageError if the file is missing or was changed
 */
export async function withTransformOf(plan: Plan, file: string | undefined): Promise<Plan> {
  if (plan.transform === undefined) return plan;
  const transform = { ...plan.transform, ...(file === undefined ? {} : { file }) };
  const { requireUnchanged } = await import('../transcode/transform/transform-file.ts');
  await requireUnchanged(transform);
  return { ...plan, transform };
}
