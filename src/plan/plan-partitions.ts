/** Chooses the partitions of the tables of a plan. */

import { TargetError } from '../common/errors.ts';
import { formatCount } from '../common/format.ts';
import type { ExistingTable } from '../transcode/column-target.ts';
import type { Plan } from '../transcode/plan.ts';
import type { PlanConfig } from './infer-plan.ts';
import type { PlanTable } from './plan-table.ts';

/** @throws TargetError if an existing table does not have the requested partitions */
export function choosePartitions(
  { schema, table }: PlanTable,
  { partitions }: PlanConfig,
  existing: ExistingTable | null,
): number | undefined {
  if (existing === null) return partitions;
  const { isOwn, partitioned } = existing;
  // The partitions of an earlier run are kept.
  if (partitions === undefined) return isOwn ? partitioned?.count : undefined;
  if (partitioned?.count === partitions) return partitions;
  const has =
    partitioned === undefined ? 'no partitions by a hash' : `${formatCount(partitioned.count)} partitions`;
  throw new TargetError(`the table "${schema}"."${table}" has ${has}, and PARTITIONS is ${partitions}`, {
    code: 'PARTITIONS_DIFFER',
    fix: 'leave PARTITIONS out to load it as it is, or have it recreated with --if-exists drop.',
  });
}

/** Includes child tables: all rows of a document are in partitions of the same number. */
export function partition(plan: Plan, partitions: number): Plan {
  const children = plan.children?.map((child) => ({ ...child, plan: partition(child.plan, partitions) }));
  return { ...plan, partitions, ...(children === undefined ? {} : { children }) };
}
