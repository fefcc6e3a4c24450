/** Checks whether a field of a table can be promoted. */

import pg from 'pg';
import { closest, distance } from 'fastest-levenshtein';
import { UsageError } from '../../common/errors.ts';
import { isSystemColumn, maxColumns, toIdentifier } from '../../common/identifiers.ts';
import { invoke, quoteWord } from '../../config/invocation.ts';
import { suggestType } from '../../plan/infer/promoted-type.ts';
import { qualifiedName } from '../../postgres/connection/relations.ts';
import { describeRun } from '../../postgres/ledger/run-decision.ts';
import { listRuns, listRunsOfSchema, type Run } from '../../postgres/ledger/runs.ts';
import { columnTaken } from '../../postgres/promote/add-column.ts';
import { sampleExtra } from '../../postgres/promote/extra-sample.ts';
import { hasPrimaryKey } from '../../postgres/table/ddl.ts';
import { readDistribution } from '../../postgres/table/distribution.ts';
import type { ColumnType } from '../../transcode/column-types/names.ts';
import { columnTypes } from '../../transcode/column-types/registry.ts';
import { listDescendants, namesOf, type Plan } from '../../transcode/plan.ts';
import { maxRowWidth, widestRow } from '../../transcode/row-width.ts';
import { countSeen } from './survey.ts';

/** The requested promotion. */
export interface PromotionRequest {
  /** As given: with or without its schema. */
  readonly table: string;
  readonly schema: string;
  readonly field: string;
  readonly type: ColumnType | undefined;
  readonly column: string | undefined;
}

type TableName = Pick<Plan, 'schema' | 'table'>;

const copyAgain = `copy the collection again with a plan that has a column for it: ${invoke('plan', '--out plan.json')} writes one.`;

/** The one run whose rows are in the table. @throws UsageError */
export async function findPromotedRun(client: pg.Client, request: PromotionRequest): Promise<Run> {
  const names = listNames(request);
  for (const name of names) {
    const [run, ...others] = await listRuns(client, name);
    if (run === undefined) continue;
    if (others.length === 0) return run;
    throw new UsageError(`the table ${qualifiedName(name)} has rows of ${others.length + 1} runs`, {
      code: 'SEVERAL_RUNS',
      fix: `each has its own plan, and they would differ: ${copyAgain}`,
    });
  }
  for (const { schema, table } of names) {
    for (const run of await listRunsOfSchema(client, schema)) {
      const isChild = listDescendants(run.settings.plan).some(({ child }) => child.plan.table === table);
      if (!isChild) continue;
      throw new UsageError(`the table ${table} is a child table of ${describeRun(run)}`, {
        code: 'CHILD_TABLE',
        fix: `only fields of the documents themselves can be promoted: ${copyAgain}`,
      });
    }
  }
  throw new UsageError(`the ledger has no run into ${request.schema}.${request.table}`, {
    code: 'RUN_UNKNOWN',
    fix: `${invoke('status')} lists the tables; set POSTGRES_SCHEMA as it was for the run, or give the table with its schema.`,
  });
}

/** A name with a dot may be qualified with a schema, or contain a dot. */
function listNames({ table, schema }: PromotionRequest): TableName[] {
  const dot = table.indexOf('.');
  const whole = { schema, table: toIdentifier(table) };
  return dot < 0 ? [whole] : [whole, { schema: table.slice(0, dot), table: table.slice(dot + 1) }];
}

/** Checks that the run is finished, and that it created the table. @throws UsageError */
export async function requireOwnTable(client: pg.Client, run: Run, request: PromotionRequest): Promise<void> {
  const { plan } = run.settings;
  if (!run.isSameTable) {
    throw new UsageError(`the table of ${describeRun(run)} was dropped since`, {
      code: 'TABLE_DROPPED',
      fix: 'copy the collection again.',
    });
  }
  if (!run.isOwnTable) throw await refuseOthersTable(client, plan, request);
  // There, rows cannot be locked page by page.
  if ((await readDistribution(client, plan)) !== null) {
    throw new UsageError(`the table ${qualifiedName(plan)} is on the nodes of Citus`, {
      code: 'PROMOTION_DISTRIBUTED',
      fix: copyAgain,
    });
  }
  if (run.isFinished) return;
  throw new UsageError(`${describeRun(run)} is not finished`, {
    code: 'RUN_UNFINISHED',
    fix: 'finish it first: run the command that started it again; it resumes.',
  });
}

async function refuseOthersTable(
  client: pg.Client,
  plan: Plan,
  { field, type: given, column: name }: PromotionRequest,
): Promise<UsageError> {
  const column = name ?? toIdentifier(field);
  const type = given ?? (await guessType(client, plan, field));
  const entry = JSON.stringify({ column, path: field, type });
  return new UsageError(`the table ${qualifiedName(plan)} was not created by a run, and is not altered`, {
    code: 'NOT_OWN_TABLE',
    fix:
      `do it yourself: ALTER TABLE ${qualifiedName(plan)} ADD COLUMN ${pg.escapeIdentifier(column)} ${columnTypes[type].sql}; ` +
      `add ${entry} to the columns of its plan; and copy again with --plan and --if-exists truncate.`,
  });
}

/** From a sample. */
async function guessType(client: pg.Client, plan: Plan, field: string): Promise<ColumnType> {
  if (plan.extraColumn === null) return 'json';
  await client.query('BEGIN READ ONLY');
  try {
    const { values } = await sampleExtra(client, plan);
    return suggestType(countSeen(plan.jsonStyle ?? 'relaxed', values.get(field) ?? []));
  } finally {
    await client.query('ROLLBACK');
  }
}

/** Checks that the plan has an extra column, and does not map the field yet. @throws UsageError or TargetError */
export async function requirePromotable(
  client: pg.Client,
  plan: Plan,
  request: PromotionRequest,
): Promise<void> {
  const { field } = request;
  const shown = JSON.stringify(field);
  if (plan.extraColumn === null) {
    throw new UsageError(`the table ${qualifiedName(plan)} has no extra column`, {
      code: 'NO_EXTRA_COLUMN',
      fix: copyAgain,
    });
  }
  const place = findPlace(plan, field);
  if (place !== null) {
    throw new UsageError(`the plan already maps ${shown}: ${place}`, {
      code: 'FIELD_MAPPED',
      fix: `its values in ${plan.extraColumn} do not fit there; for another type, ${copyAgain}`,
    });
  }
  if (field.includes('.')) {
    throw new UsageError(`${shown} has a dot: only fields of the documents themselves can be promoted`, {
      code: 'FIELD_NESTED',
      fix: `for a value in an embedded document, ${copyAgain}`,
    });
  }
  const column = chooseColumn(request);
  if (isSystemColumn(column) || (await hasColumn(client, plan, column))) {
    throw columnTaken(plan, { field, column, type: 'json' });
  }
  if (!(await hasPrimaryKey(client, plan))) {
    throw new UsageError(`the table ${qualifiedName(plan)} has no primary key`, {
      code: 'TABLE_WITHOUT_KEY',
      fix: 'rows are updated in the order of the key: add the primary key again.',
    });
  }
}

/** If rows might not fit into a page with another column, a promotion is refused. @throws UsageError */
export function requireRoom(plan: Plan): void {
  const { columns } = plan;
  if (widestRow(columns) <= maxRowWidth && columns.length < maxColumns) return;
  throw new UsageError(
    `with another column the rows of ${qualifiedName(plan)} might not fit a page of PostgreSQL`,
    {
      code: 'TABLE_TOO_WIDE',
      fix: `leave rare fields in the extra column instead: ${copyAgain}`,
    },
  );
}

export function chooseColumn({ field, column }: PromotionRequest): string {
  return column ?? toIdentifier(field);
}

async function hasColumn(client: pg.Client, plan: Plan, column: string): Promise<boolean> {
  const { rowCount } = await client.query(
    'SELECT FROM pg_attribute WHERE attrelid = $1::regclass AND attname = $2 AND NOT attisdropped',
    [qualifiedName(plan), column],
  );
  return (rowCount ?? 0) > 0;
}

/** Where the plan maps the field, for messages; null if nowhere. */
export function findPlace(plan: Plan, field: string): string | null {
  const isField = (names: readonly string[]): boolean => names.length === 1 && names[0] === field;
  const column = plan.columns.find((planned) => isField(namesOf(planned)));
  if (column !== undefined) return `to the column ${pg.escapeIdentifier(column.column)}`;
  const child = (plan.children ?? []).find((one) => isField(namesOf(one)));
  if (child !== undefined) return `to the child table ${qualifiedName(child.plan)}`;
  if ((plan.flattened ?? []).some(isField)) return 'to the columns of what is inside';
  if (plan.dropped?.includes(field) === true) return 'nowhere, it is dropped';
  return null;
}

/** @throws UsageError */
export async function refuseMissing(client: pg.Client, plan: Plan, field: string): Promise<never> {
  await client.query('BEGIN READ ONLY');
  try {
    const { values } = await sampleExtra(client, plan);
    const names = [...values.keys()].filter((name) => findPlace(plan, name) === null && !name.includes('.'));
    throw new UsageError(
      `no row of ${qualifiedName(plan)} has ${JSON.stringify(field)} in ${plan.extraColumn ?? ''}`,
      { code: 'NOTHING_TO_PROMOTE', fix: describeNames(plan, field, names) },
    );
  } finally {
    await client.query('ROLLBACK');
  }
}

/** Enough names for a line. */
const maxNames = 10;

function describeNames(plan: Plan, field: string, names: readonly string[]): string {
  if (names.length === 0) return 'it has no fields that could be promoted.';
  const like = closest(field, names);
  if (distance(field, like) <= 2) {
    return `did you mean ${invoke('promote', `${quoteWord(plan.table)} ${quoteWord(like)}`)}?`;
  }
  const more = names.length > maxNames ? ', …' : '';
  return `it has ${names.slice(0, maxNames).join(', ')}${more}.`;
}
