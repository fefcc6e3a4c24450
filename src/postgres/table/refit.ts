/** Adapts the plan of an earlier run to its table, which may have been altered since. */

import { isDeepStrictEqual } from 'node:util';
import type pg from 'pg';
import { TargetError } from '../../common/errors.ts';
import { options } from '../../config/options.ts';
import type { ExistingTable } from '../../transcode/column-target.ts';
import { fitInferredWithChildren, fitWithChildren } from '../../plan/fit/fit-children.ts';
import type { Plan } from '../../transcode/plan.ts';
import { tablesOf } from './ddl.ts';
import { replacePlan, type Run } from '../ledger/runs.ts';
import { readChildTables, readTable } from './table.ts';
import { qualifiedName } from '../connection/relations.ts';

/**
 * To be called in a transaction. Replaces the run's plan.
 * @throws TargetError when the table no longer fits the run
 */
export async function refitRun(client: pg.Client, { runId, settings, isOwnTable }: Run): Promise<Plan> {
  const { plan: before, choices } = settings;
  const table = await readTable(client, before);
  // Postgres reports that when the rows are inserted.
  if (table === null) return before;
  const children = await readChildTables(client, before.schema, tablesOf(before).slice(1));
  const wanted = isOwnTable ? relaxWithChildren(before, table, children) : before;
  const isInferred = choices[options.plan.env] === undefined;
  const fit = isInferred ? fitInferredWithChildren : fitWithChildren;
  const { plan, mistakes } = fit(wanted, table, children);
  if (mistakes.length > 0) {
    throw new TargetError(
      `the table ${qualifiedName(before)} does not fit run ${runId} any more: ${mistakes.join('; ')}`,
      { code: 'TABLE_DOES_NOT_FIT', fix: 'revert the change of the table, or copy the collection again.' },
    );
  }
  if (!isDeepStrictEqual(plan, before)) await replacePlan(client, runId, plan);
  return plan;
}

/**
 * In a table that the run created, NOT NULL comes from the plan. If it was dropped from the table, it is dropped from the plan too.
 * @param childTables in the order of `listDescendants`
 */
function relaxWithChildren(
  plan: Plan,
  table: ExistingTable,
  childTables: readonly (ExistingTable | null)[],
): Plan {
  const queue = [...childTables];
  const relaxAll = (part: Plan, found: ExistingTable | null): Plan => {
    const children = part.children?.map((child) => ({
      ...child,
      plan: relaxAll(child.plan, queue.shift() ?? null),
    }));
    return { ...relax(part, found), ...(children === undefined ? {} : { children }) };
  };
  return relaxAll(plan, table);
}

function relax(plan: Plan, table: ExistingTable | null): Plan {
  const nullable = new Set(table?.columns.filter(({ isNotNull }) => !isNotNull).map(({ column }) => column));
  const columns = plan.columns.map(({ isRequired, ...column }) =>
    isRequired === true && !nullable.has(column.column) ? { ...column, isRequired } : column,
  );
  return { ...plan, columns };
}
