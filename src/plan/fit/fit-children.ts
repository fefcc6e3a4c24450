/** Fits the child tables of a plan to tables that are there already: all of them, as their documents' table is. */

import type { ExistingTable } from '../../transcode/column-target.ts';
import { type FittedPlan, fitPlan } from './fit-plan.ts';
import { type ChildTable, isIdColumn, type Plan } from '../../transcode/plan.ts';

/**
 * @param parent the table of the documents, to which the plan is fitted as well
 * @param tables that of each child, or null where it is missing
 */
export function fitWithChildren(
  whole: Plan,
  parent: ExistingTable,
  tables: readonly (ExistingTable | null)[],
): FittedPlan {
  const fittedParent = fitPlan(whole, parent, false);
  const { plan } = fittedParent;
  if (plan.children === undefined) return fittedParent;
  const mistakes = [...fittedParent.mistakes];
  const notices = [...fittedParent.notices];
  const children = plan.children.map((child, index): ChildTable => {
    const about = (text: string): string => `the child table "${child.plan.table}": ${text}`;
    const table = tables[index] ?? null;
    if (table === null) {
      mistakes.push(about('is missing, while the table of the documents exists'));
      return child;
    }
    const fitted = fitPlan(child.plan, table, false);
    const all = [...fitted.mistakes, ...findKeyMistakes(plan, parent, child, table)];
    mistakes.push(...all.map(about));
    notices.push(...fitted.notices.map(about));
    return { ...child, plan: fitted.plan };
  });
  return { plan: { ...plan, children }, mistakes, notices };
}

/** The two columns that are no fields of the elements are written as they are in a table of our own. */
function findKeyMistakes(
  plan: Plan,
  parent: ExistingTable,
  child: ChildTable,
  table: ExistingTable,
): string[] {
  const [link, ordinal] = child.plan.columns;
  const id = plan.columns.find(isIdColumn);
  const typeOf = ({ columns }: ExistingTable, name?: string): string | undefined =>
    columns.find(({ column }) => column === name)?.typeName;
  const idType = typeOf(parent, id?.column);
  const linkType = typeOf(table, link?.column);
  const ordinalType = typeOf(table, ordinal?.column);
  const mistakes: string[] = [];
  if (idType !== undefined && linkType !== undefined && linkType !== idType) {
    mistakes.push(`"${link?.column}" is ${linkType}, and "${id?.column}" of the documents ${idType}`);
  }
  if (ordinalType !== undefined && ordinalType !== 'integer') {
    mistakes.push(`"${ordinal?.column}" is ${ordinalType}, and not integer`);
  }
  return mistakes;
}
