/** The names of the tables of plans. */

import { UsageError } from '../common/errors.ts';
import { toIdentifier } from '../common/identifiers.ts';
import { listDescendants, type Plan } from '../transcode/plan.ts';
import type { PlanFile, PlanFileChild } from './file/plan-schema.ts';

export type PlanTable = Pick<Plan, 'schema' | 'table'>;

/** Chooses the target table, before anything is read. @throws UsageError */
export function chooseTable(schema: string, collection: string, file: PlanFile | null): PlanTable {
  const table = file?.table ?? toIdentifier(collection);
  const namesake = findTable(file?.children ?? [], table, '');
  if (namesake !== null) {
    // If the plan itself names the table, its checks have found this already.
    throw new UsageError(
      `the plan is not valid: ${namesake}.table: ${JSON.stringify(table)} is the table of the documents themselves`,
      {
        code: 'PLAN_INVALID',
        fix: 'give the child table another name, or say in the plan how the table is called.',
      },
    );
  }
  return { schema: file?.schema ?? schema, table };
}

/** The tables of inferred plans for these collections, except `but`. */
export function listTables(collections: readonly string[], but: string): string[] {
  return collections.filter((collection) => collection !== but).map(toIdentifier);
}

/** @returns the place in the plan file of the child table with this name */
function findTable(children: readonly PlanFileChild[], table: string, around: string): string | null {
  for (const [index, child] of children.entries()) {
    const place = `${around}children[${index}]`;
    const found = child.table === table ? place : findTable(child.children ?? [], table, `${place}.`);
    if (found !== null) return found;
  }
  return null;
}

export function listChildTables(plan: Plan): PlanTable[] {
  return listDescendants(plan).map(({ child }) => child.plan);
}
