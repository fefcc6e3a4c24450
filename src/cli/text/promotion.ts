/** Describes promoted fields, and fields that may be worth promoting. */

import { formatCount, formatPlural } from '../../common/format.ts';
import { invoke, quoteWord } from '../../config/invocation.ts';
import type { PromotableField, PromotionSummary } from '../../observe/promotion.ts';
import type { PromotionStatus } from '../../observe/status.ts';

export function describePromotion(summary: PromotionSummary): string {
  const { source, table, field, column, type, promoted, nulls, left, isRepeated } = summary;
  const name = JSON.stringify(field);
  const kept = Object.entries(left).map(
    ([bsonType, count]) => `  _extra: ${formatPlural(count, 'value')} of ${name} (${bsonType}, does not fit)`,
  );
  const empty = nulls === 0 ? [] : [`  ${formatCount(nulls)} more had null`];
  return [
    `${source}: ${name} ${isRepeated ? 'was promoted already' : 'is promoted'}: ${table}.${JSON.stringify(column)} (${type})`,
    `  ${formatPlural(promoted, 'row')} ${promoted === 1 ? 'has' : 'have'} the value in the column`,
    ...empty,
    ...kept,
  ].join('\n');
}

/** Describes a field that has a column, or is getting one. @param table quoted, with its schema */
export function describePromoted(
  { field, column, type, promoted, isFinished }: PromotionStatus,
  table: string,
): string {
  const done = `  promoted ${JSON.stringify(field)} to ${JSON.stringify(column)} (${type}): ${formatPlural(promoted, 'value')}`;
  return isFinished ? done : `${done}; not finished: ${commandFor(field, table)}`;
}

/** Describes a field that may be worth a column. @param table quoted, with its schema */
export function describePromotable({ field, count, rows, types }: PromotableField, table: string): string {
  const kinds = Object.keys(types).join(', ');
  return `  _extra has ${JSON.stringify(field)} (${kinds}) in ${formatCount(count)} of ${formatPlural(rows, 'sampled row')}: ${commandFor(field, table)}`;
}

function commandFor(field: string, table: string): string {
  const [, schema = '', name = ''] = /^"((?:[^"]|"")*)"\."((?:[^"]|"")*)"$/.exec(table) ?? [];
  const plain = [schema, name].map((part) => part.replaceAll('""', '"'));
  const [schemaName = '', tableName = ''] = plain;
  const shown = schemaName === 'public' ? tableName : `${schemaName}.${tableName}`;
  return invoke('promote', `${quoteWord(shown)} ${quoteWord(field)}`);
}
