/** Decides from the ledger and the table whether a start begins a run, resumes one, or is refused. */

import type pg from 'pg';
import type { IfExists } from '../../config/config.ts';
import { TargetError, UsageError } from '../../common/errors.ts';
import { formatCount, formatMinute, formatPlural } from '../../common/format.ts';
import type { Plan, TransformFile } from '../../transcode/plan.ts';
import { hasLedger } from './ledger.ts';
import { findRun, readTotals, type Run, type RunSettings } from './runs.ts';
import type { RunTotals } from './run-totals.ts';
import { inOneTrip } from '../connection/one-trip.ts';
import { hasRows, hasTable, qualifiedName } from '../connection/relations.ts';

export interface RunRequest {
  readonly table: Pick<Plan, 'schema' | 'table'>;
  /** A run is resumed only if it was begun with the same settings. Its plan is kept. */
  readonly settings: Omit<RunSettings, 'plan'>;
  /** Undefined if not set by the user. */
  readonly ifExists: IfExists | undefined;
  /** Start from scratch, even if an earlier run can be resumed. */
  readonly isRestart: boolean;
  /** The job that the run is part of when several collections are copied; null for a single one. */
  readonly jobId: string | null;
  /** The run that has copied the collection for the followed stream, if any. */
  readonly followedRun: string | null;
  /** On trial servers, an earlier run is replaced without asking. */
  readonly isTrial: boolean;
}

export type RunDecision =
  | { readonly kind: 'continue'; readonly run: Run }
  /** It is copied already, and the same command was run again: the process before may have crashed after the run's end. */
  | ({ readonly kind: 'done'; readonly run: Run } & Pick<
      RunTotals,
      'copied' | 'deadLettered' | 'dropped' | 'rows'
    >)
  /** `removes` says what is given up for it, for people; null when nothing is. */
  | { readonly kind: 'begin'; readonly ifExists: IfExists; readonly removes: string | null };

/** @throws UsageError or TargetError that lists the choices */
export async function decideRun(client: pg.Client, request: RunRequest): Promise<RunDecision> {
  const { table, ifExists, isRestart, isTrial } = request;
  const hasRuns = await hasLedger(client);
  const [run, isTableThere] = await inOneTrip(
    client,
    async () => (hasRuns ? await findRun(client, table) : null),
    () => hasTable(client, table),
  );
  if (run === null || (run.isFinished && !run.isSameTable)) {
    await requireNoRows(client, request, isTableThere);
    return { kind: 'begin', ifExists: ifExists ?? 'fail', removes: null };
  }
  if (isRestart) return await beginFromScratch(client, request, run);
  // Its table may have become empty since, or contain merged rows that the ledger of the copy does not count.
  if (run.isFinished && run.runId === request.followedRun) return await reportDone(client, run);
  if (run.isFinished) {
    const isReplaced = ifExists === 'drop' || ifExists === 'truncate';
    const isOfThisJob = run.jobId !== null && run.jobId === request.jobId;
    if (isOfThisJob) return await reportDone(client, run);
    const isGoneOver = request.jobId !== null && isSameCollection(run, request);
    if (isReplaced || (isTrial && !isGoneOver)) return await beginFromScratch(client, request, run);
    if (!(await isRepetition(client, request, run))) {
      return { kind: 'begin', ifExists: ifExists ?? 'fail', removes: null };
    }
    const differences = listDifferences(run, request);
    if (differences.length === 0) return await reportDone(client, run);
    throw await refuseRepetition(client, request, run, differences);
  }
  const differences = listDifferences(run, request);
  if (differences.length === 0) return { kind: 'continue', run };
  if (isTrial) return await beginFromScratch(client, request, run);
  throw new UsageError(
    `${describeRun(run)} is not finished, and was started with other settings: ${differences.join('; ')}`,
    {
      code: 'RUN_BEGUN_DIFFERENTLY',
      fix: 'continue it with its original settings, or start from scratch with --restart.',
    },
  );
}

function listDifferences({ settings, isSameTable }: Run, request: RunRequest): string[] {
  const differences: string[] = [];
  const { source, collectionId, choices } = request.settings;
  if (source !== settings.source) {
    differences.push(`its source was ${settings.source} and is now ${source}`);
  } else if (collectionId !== settings.collectionId) {
    differences.push(describeOther(source, settings.collectionId, collectionId));
  }
  for (const name of new Set([...Object.keys(settings.choices), ...Object.keys(choices)])) {
    const [before, now] = [settings.choices[name], choices[name]];
    if (before !== now) differences.push(`${name} was ${before ?? 'not set'} and is now ${now ?? 'not set'}`);
  }
  if (!isSameTable) differences.push('its table was dropped since');
  return differences;
}

function describeOther(source: string, before: string | null, now: string | null): string {
  const [wasDump, isDump] = [before, now].map((id) => id?.startsWith('dump ') === true);
  if (wasDump === true && isDump === true) {
    return `the dump of ${source} is not the one that the run was reading`;
  }
  if (wasDump === true) return `${source} was read from a dump`;
  if (isDump === true) return `${source} was read from a server`;
  return `the collection ${source} was dropped and recreated since`;
}

/** For a followed run, no other setting is compared. @throws UsageError */
export function requireSameTransform(run: Run, transform: TransformFile | null): void {
  const { transform: before } = run.settings.plan;
  if (before?.hash === transform?.hash) return;
  const now = transform === null ? 'there is none now' : `now it is ${transform.file}`;
  const was = before === undefined ? 'without a transform' : `with the transform ${before.file}`;
  throw new UsageError(
    `${describeRun(run)} was begun ${was}, and ${before === undefined ? now : `${now}, with other content`}`,
    {
      code: 'TRANSFORM_CHANGED',
      fix: 'continue with the transform of its start, or start from scratch with --restart.',
    },
  );
}

function isSameCollection({ settings }: Run, request: RunRequest): boolean {
  const { source, collectionId } = request.settings;
  return settings.source === source && settings.collectionId === collectionId;
}

async function requireNoRows(
  client: pg.Client,
  { table, ifExists }: RunRequest,
  isTableThere: boolean,
): Promise<void> {
  if (ifExists !== undefined && ifExists !== 'fail') return;
  if (!isTableThere || !(await hasRows(client, table))) return;
  throw new TargetError(`the table ${qualifiedName(table)} already exists and has rows`, {
    code: 'TABLE_HAS_ROWS',
    fix: 'choose what to do with them: --if-exists drop (the table is recreated), truncate (its rows are removed) or append; or choose another POSTGRES_SCHEMA.',
  });
}

async function reportDone(client: pg.Client, run: Run): Promise<RunDecision> {
  const { copied, deadLettered, dropped, rows } = await readTotals(client, run.runId);
  return { kind: 'done', run, copied, deadLettered, dropped, rows };
}

/** A finished run is not repeated by accident, even if the table would accept duplicates. */
async function isRepetition(client: pg.Client, request: RunRequest, run: Run): Promise<boolean> {
  return request.ifExists === 'append'
    ? isSameCollection(run, request)
    : await hasRows(client, request.table);
}

async function refuseRepetition(
  client: pg.Client,
  request: RunRequest,
  run: Run,
  differences: readonly string[],
): Promise<TargetError> {
  const name = qualifiedName(request.table);
  const { rows } = await readTotals(client, run.runId);
  const has = `the table ${name} already has the ${formatCount(rows)} rows of ${describeRun(run)}`;
  return isSameCollection(run, request)
    ? new TargetError(`${has}, which was started with other settings: ${differences.join('; ')}`, {
        code: 'ALREADY_COPIED',
        fix: 'to copy the collection again, use --restart.',
      })
    : new TargetError(has, {
        code: 'ALREADY_COPIED',
        fix: 'choose what to do with them: --if-exists drop (the table is recreated), truncate (its rows are removed) or append; or choose another POSTGRES_SCHEMA.',
      });
}

/** Removes the rows of an earlier run. Rows from before that run are removed only on request. */
async function beginFromScratch(client: pg.Client, request: RunRequest, run: Run): Promise<RunDecision> {
  const { table, ifExists } = request;
  const name = qualifiedName(table);
  const { rows, deadLettered } = await readTotals(client, run.runId);
  const isSaid = ifExists === 'drop' || ifExists === 'truncate';
  const rowsBefore = run.rowsBefore + run.childRowsBefore;
  if (rowsBefore > 0 && !isSaid) {
    throw new UsageError(
      `${describeRun(run)} added its rows to ${formatCount(rowsBefore)} existing rows, which cannot be told apart`,
      {
        code: 'ROWS_NOT_TOLD_APART',
        fix: `to start with an empty table, use --if-exists truncate or drop with --restart.`,
      },
    );
  }
  // The run's table was dropped. A table of the same name is not ours.
  if (!run.isSameTable) {
    await requireNoRows(client, request, await hasTable(client, table));
    return { kind: 'begin', ifExists: ifExists ?? 'fail', removes: null };
  }
  const how = isSaid ? ifExists : run.isOwnTable ? 'drop' : 'truncate';
  const what = how === 'drop' ? `the table ${name}` : `all rows of ${name}`;
  const removes = `${what} (${describeRun(run)}: ${formatCount(rows)} rows, ${formatCount(deadLettered)} dead letters)`;
  return { kind: 'begin', ifExists: how, removes };
}

/** A run that is done, for messages. */
export function describeDone({
  run,
  rows,
  deadLettered,
  dropped,
}: RunDecision & { readonly kind: 'done' }): string {
  return (
    `is copied already: ${describeRun(run)}: ${formatPlural(rows, 'row')}, ${formatPlural(deadLettered, 'dead letter')}` +
    `${dropped > 0 ? `, ${formatPlural(dropped, 'document')} dropped` : ''}; ` +
    'to copy it again, use --restart'
  );
}

export function describeRun({ runId, settings, startedAt }: Run): string {
  return `run ${runId} (${settings.source}, started ${formatMinute(startedAt)})`;
}
