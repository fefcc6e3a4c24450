/** Fits the child tables of a plan to existing tables. If the main table exists, all child tables must exist. */

import type { ExistingTable } from '../../transcode/column-target.ts';
import { type FittedPlan, fitPlan } from './fit-plan.ts';
import { type ChildTable, isIdColumn, listDescendants, namesOf, type Plan } from '../../transcode/plan.ts';

/**
 * @param parent the main table, to which the plan is fitted as well
 * @param tables the table of each child, in the order of `listDescendants`; null if it is missing
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
  const queue = [...tables];
  const fitChildren = (around: Plan, keyLength: number): Plan => {
    const { children } = around;
    if (children === undefined) return around;
    return {
      ...around,
      children: children.map((child): ChildTable => {
        const about = (text: string): string => `the child table "${child.plan.table}": ${text}`;
        const table = queue.shift() ?? null;
        if (table === null) {
          mistakes.push(about('is missing, while the table of the documents exists'));
          return { ...child, plan: fitChildren(child.plan, keyLength + 1) };
        }
        const fitted = fitPlan(child.plan, table, false);
        const all = [...fitted.mistakes, ...findKeyMistakes(plan, parent, child, table, keyLength)];
        mistakes.push(...all.map(about));
        notices.push(...fitted.notices.map(about));
        return { ...child, plan: fitChildren(fitted.plan, keyLength + 1) };
      }),
    };
  };
  // The document's `_id` and the place.
  return { plan: fitChildren(plan, 2), mistakes, notices };
}

/**
 * Likewise for an inferred plan. An array without an existing child table goes to the parent table, to a column of its name
 * or to the overflow column.
 */
export function fitInferredWithChildren(
  whole: Plan,
  parent: ExistingTable,
  tables: readonly (ExistingTable | null)[],
): FittedPlan {
  const fittedParent = fitPlan(whole, parent, true);
  const mistakes = [...fittedParent.mistakes];
  const notices = [...fittedParent.notices];
  const queue = [...tables];
  /** @param children those of the inferred plan; the tables have the same order */
  const fitChildren = (around: Plan, children: readonly ChildTable[], keyLength: number): Plan => {
    const fitted = children.flatMap((child): ChildTable[] => {
      const about = (text: string): string => `the child table "${child.plan.table}": ${text}`;
      const table = queue.shift() ?? null;
      const inner = child.plan.children ?? [];
      if (table === null) {
        queue.splice(0, listDescendants(child.plan).length);
        notices.push(
          about(`is missing, so that ${JSON.stringify(namesOf(child).join('.'))} has no rows of its own`),
        );
        return [];
      }
      const own = fitPlan(child.plan, table, true);
      const key = child.plan.columns.slice(0, keyLength);
      const isThere = key.every(({ column }, place) => own.plan.columns[place]?.column === column);
      const keyMistakes = isThere
        ? findKeyMistakes(fittedParent.plan, parent, child, table, keyLength)
        : [`it lacks a column of its key: ${key.map(({ column }) => `"${column}"`).join(', ')}`];
      mistakes.push(...[...own.mistakes, ...keyMistakes].map(about));
      notices.push(...own.notices.map(about));
      return [keepable({ ...child, plan: fitChildren(own.plan, inner, keyLength + 1) }, around)];
    });
    return { ...around, children: fitted };
  };
  if (whole.children === undefined) return fittedParent;
  return { plan: fitChildren(fittedParent.plan, whole.children, 2), mistakes, notices };
}

/** Without an overflow column, an empty array cannot be kept. */
function keepable({ keepsEmpty, ...child }: ChildTable, { extraColumn }: Plan): ChildTable {
  return keepsEmpty === true && extraColumn !== null ? { ...child, keepsEmpty } : child;
}

/** Key columns are written in the types of a table that this tool creates, so an existing table must have these types. */
function findKeyMistakes(
  plan: Plan,
  parent: ExistingTable,
  child: ChildTable,
  table: ExistingTable,
  keyLength: number,
): string[] {
  const [link, ...ordinals] = child.plan.columns.slice(0, keyLength);
  const id = plan.columns.find(isIdColumn);
  const typeOf = ({ columns }: ExistingTable, name?: string): string | undefined =>
    columns.find(({ column }) => column === name)?.typeName;
  const idType = typeOf(parent, id?.column);
  const linkType = typeOf(table, link?.column);
  const mistakes: string[] = [];
  if (idType !== undefined && linkType !== undefined && linkType !== idType) {
    mistakes.push(`"${link?.column}" is ${linkType}, and "${id?.column}" of the documents ${idType}`);
  }
  for (const { column } of ordinals) {
    const ordinalType = typeOf(table, column);
    if (ordinalType !== undefined && ordinalType !== 'integer') {
      mistakes.push(`"${column}" is ${ordinalType}, and not integer`);
    }
  }
  return mistakes;
}
