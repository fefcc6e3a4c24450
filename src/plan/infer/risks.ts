/** Finds the risks of an inferred plan, to report before anything is copied. */

import { formatCount, formatPlural } from '../../common/format.ts';
import { defaultNulPolicy, describeConsequence, type NulPolicy } from '../../bson/nul-policy.ts';
import type { FieldStats } from './field-stats.ts';
import type { InferredPlan } from '../infer-plan.ts';
import type { PlanColumn } from '../../transcode/plan.ts';
import { maxRowWidth, widestRow } from '../../transcode/row-width.ts';
import { formatShare } from './seen.ts';

/** How many names of a list are shown before "and … more". */
const maxNames = 5;

/** In a smaller sample, every field would be rare. */
const minDocumentsForRare = 20;

/** The largest entry of a B-tree, a third of a page. https://www.postgresql.org/docs/current/btree.html */
const maxKeyBytes = 2704;

export function findRisks({ plan, notices, inference }: InferredPlan): string[] {
  const { stats } = inference;
  const planned = [...new Set(plan.columns.flatMap(({ field }) => stats.fields.get(field) ?? []))];
  // If documents are stored whole, U+0000 matters in any field, and the other risks do not apply.
  const kept = plan.keepsWhole === true ? [...stats.fields.values()] : planned;
  const fields = plan.keepsWhole === true ? [] : planned;
  return [
    ...notices,
    ...describeCorrupt(stats.corrupt),
    ...describeNuls(kept, stats.documents, plan.nul ?? defaultNulPolicy),
    ...describeLongIds(stats.fields.get('_id')),
    ...describeAlwaysNull(fields),
    ...describeRare(fields, stats.documents),
    ...describeCases(plan.columns.map(({ column }) => column)),
    ...describeWidth(plan.columns),
  ];
}

function describeCorrupt(count: number): string[] {
  return count === 0 ? [] : [`${formatPlural(count, 'document')} of the sample are corrupt: dead letters`];
}

function describeNuls(fields: readonly FieldStats[], documents: number, nul: NulPolicy): string[] {
  return fields
    .filter(({ nulCount }) => nulCount > 0)
    .map(({ path, nulCount }) => {
      const share = formatShare(nulCount, documents);
      return `the field ${JSON.stringify(path[0])} has U+0000 in ${share} of the documents, which Postgres cannot store: ${describeConsequence(nul)}`;
    });
}

function describeLongIds(id: FieldStats | undefined): string[] {
  if (id === undefined || id.longestString <= maxKeyBytes) return [];
  return [
    `an _id of ${formatCount(id.longestString)} bytes may be too long for the primary key, whose entries end at ${formatCount(maxKeyBytes)}: then a dead letter`,
  ];
}

function describeAlwaysNull(fields: readonly FieldStats[]): string[] {
  const names = fields.filter(({ types, count }) => count > 0 && types.get('null') === count);
  if (names.length === 0) return [];
  return [`always null, so that jsonb is a guess: ${listNames(names)}`];
}

function describeRare(fields: readonly FieldStats[], documents: number): string[] {
  const rare = fields.filter(({ count }) => count === 1);
  if (documents < minDocumentsForRare || rare.length === 0) return [];
  return [
    `seen in one document only: ${listNames(rare)}; without an entry in the plan such a field goes to the extra column`,
  ];
}

function describeCases(columns: readonly string[]): string[] {
  const byLowerCase = new Map<string, string[]>();
  for (const column of columns) {
    const key = column.toLowerCase();
    byLowerCase.set(key, [...(byLowerCase.get(key) ?? []), column]);
  }
  return [...byLowerCase.values()]
    .filter((alike) => alike.length > 1)
    .map(
      (alike) =>
        `only case distinguishes the columns ${alike.map((name) => `"${name}"`).join(', ')}: quote them in SQL`,
    );
}

function describeWidth(columns: readonly PlanColumn[]): string[] {
  if (widestRow(columns) <= maxRowWidth) return [];
  return [
    `${formatCount(columns.length)} columns: a row with a value in each may not fit a page of 8 kB; the values of its last columns then go to the extra column`,
  ];
}

function listNames(fields: readonly FieldStats[]): string {
  const shown = fields.slice(0, maxNames).map(({ path }) => JSON.stringify(path[0]));
  const more = fields.length - shown.length;
  return shown.join(', ') + (more > 0 ? ` and ${formatCount(more)} more` : '');
}
