/** The choices that decide what is copied and how. A run can only be resumed with the same ones. */

import { createHash } from 'node:crypto';
import type { Config } from '../config/config.ts';
import { options } from '../config/options.ts';
import { describeFilter } from '../bson/filter.ts';
import type { TransformFile } from '../transcode/plan.ts';
import type { PlanFile } from './file/plan-schema.ts';

export type ChoiceConfig = Pick<
  Config,
  | 'objectId'
  | 'objectIdCollation'
  | 'schema'
  | 'flatten'
  | 'scalarArrays'
  | 'jsonStyle'
  | 'nul'
  | 'requiredNotNull'
  | 'filter'
  | 'partitions'
  | 'distribute'
>;

/** By the names of the variables; without those that have the default. */
export function describeChoices(
  config: ChoiceConfig,
  planFile: PlanFile | null,
  transform: TransformFile | null = null,
): Readonly<Record<string, string>> {
  const { objectId, objectIdCollation, schema, flatten, scalarArrays } = config;
  const { jsonStyle, nul, requiredNotNull, filter, partitions, distribute } = config;
  const chosen = [
    [options.objectId, objectId],
    [options.objectIdCollation, objectIdCollation],
    [options.schema, schema],
    [options.flatten, flatten === undefined ? '' : String(flatten)],
    [options.scalarArrays, scalarArrays],
    [options.jsonStyle, jsonStyle],
    [options.nul, nul],
    [options.requiredNotNull, requiredNotNull ? 'true' : ''],
    [options.filter, filter === undefined ? '' : describeFilter(filter)],
    [options.partitions, partitions === undefined ? '' : String(partitions)],
    [options.distribute, distribute ? 'true' : ''],
    [options.plan, planFile === null ? '' : `the plan ${digest(planFile)}`],
    [options.transform, transform === null ? '' : `a file of the hash ${transform.hash.slice(0, 12)}`],
  ] as const;
  return Object.fromEntries(
    chosen.filter(([option, value]) => value !== option.default).map(([{ env }, value]) => [env, value]),
  );
}

/** A hash of the plan's content, independent of its path and its formatting. */
function digest(planFile: PlanFile): string {
  // Without the transform, which is a choice of its own.
  return createHash('sha256')
    .update(JSON.stringify({ ...planFile, transform: undefined }))
    .digest('hex')
    .slice(0, 12);
}
