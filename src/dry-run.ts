/** `npm start -- --dry-run`: looks at both sides and says what a start would do, without writing anything to either. */

import pg from 'pg';
import type { Config } from './config.ts';
import { ExitCode, MigrationError, TargetError } from './errors.ts';
import type { DryRunEvent } from './events.ts';
import { describeChoices } from './plan/choices.ts';
import { chooseTable, makePlan } from './plan/make-plan.ts';
import type { PlanFile } from './plan/plan-file.ts';
import type { Plan } from './plan/plan.ts';
import { readConnectionsLeft } from './postgres/capacity.ts';
import { describePostgres, explainPostgresError } from './postgres/connection.ts';
import {
  addChildKeyStatements,
  addPrimaryKeyStatement,
  createTableStatement,
  tablesOf,
} from './postgres/ddl.ts';
import { decideRun, describeRun, type RunDecision } from './postgres/run-decision.ts';
import { findMissingRights, requireServer } from './postgres/server-check.ts';
import { Session } from './postgres/session.ts';
import { readChildTables, readTable } from './postgres/table.ts';
import { chooseCollections, namesSeveral } from './source/collection-choice.ts';
import { Database } from './source/database.ts';
import type { Source } from './source/source.ts';
import { arrayOfDocuments } from './transcode/bson-array.ts';
import { createRowEncoder } from './transcode/row.ts';

export interface DryRunOptions {
  readonly planFile: PlanFile | null;
  readonly isTrial: boolean;
  readonly onEvent: (event: DryRunEvent) => void;
  readonly signal: AbortSignal;
}

/** What a row costs beside its values: header and line pointer, and its entry in the primary key. */
const bytesPerRow = 28 + 24;

/** @returns the exit code that a start would have for what can be known before it. @throws MigrationError */
export async function dryRun(config: Config, options: DryRunOptions): Promise<ExitCode> {
  const { postgresUrl: url, mongoUrl, mongoDb, filter, retryLimitMs, answerTimeoutMs } = config;
  const session = await Session.open({
    url,
    applicationName: 'mongo2pg dry run',
    retryLimitMs,
    answerTimeoutMs,
    // The promise of the option, kept by Postgres itself.
    onConnect: async (client) => {
      await client.query('SET default_transaction_read_only = on');
    },
    signal: options.signal,
  });
  try {
    const server = await session.run(async (client) => ({
      version: await requireServer(client),
      connectionsLeft: await readConnectionsLeft(client),
    }));
    options.onEvent({ kind: 'dry-run-server', target: describePostgres(url), ...server });
    const database = await Database.connect({
      url: mongoUrl,
      db: mongoDb,
      filter,
      retryLimitMs,
      answerTimeoutMs,
    });
    try {
      return await lookAtAll(config, options, session, database);
    } finally {
      await database.close();
    }
  } catch (error) {
    throw error instanceof pg.DatabaseError ? explainPostgresError(error, url) : error;
  } finally {
    await session.close();
  }
}

async function lookAtAll(
  config: Config,
  options: DryRunOptions,
  session: Session,
  database: Database,
): Promise<ExitCode> {
  const { mongoDb, mongoCollection, excludeCollections } = config;
  if (!namesSeveral(mongoCollection)) {
    await lookAt(config, options, session, await database.open(mongoCollection), false);
    return ExitCode.ok;
  }
  const { chosen, left } = chooseCollections(
    await database.listCollections(),
    mongoCollection,
    excludeCollections,
  );
  for (const { name, reason } of left) {
    options.onEvent({
      kind: 'dry-run-failure',
      source: `${mongoDb}.${name}`,
      message: `left out: ${reason}`,
      fix: '',
    });
  }
  let exitCode: ExitCode = ExitCode.ok;
  for (const { name } of chosen) {
    options.signal.throwIfAborted();
    try {
      await lookAt(config, options, session, await database.open(name), true);
    } catch (error) {
      if (!(error instanceof MigrationError) || error.isServerGone) throw error;
      const { message, fix } = error;
      options.onEvent({ kind: 'dry-run-failure', source: `${mongoDb}.${name}`, message, fix });
      if (exitCode === ExitCode.ok) exitCode = error.exitCode;
    }
  }
  return exitCode;
}

async function lookAt(
  config: Config,
  { planFile, isTrial, onEvent }: DryRunOptions,
  session: Session,
  source: Source,
  isOneOfSeveral: boolean,
): Promise<void> {
  const { ifExists, isRestart } = config;
  const collection = source.name.slice(config.mongoDb.length + 1);
  const table = chooseTable(config.postgresSchema, collection, planFile);
  const missing = await session.run((client) => findMissingRights(client, table));
  if (missing.length > 0) {
    throw new TargetError(`the user may not ${missing.join('; nor ')}`, {
      fix: 'grant the rights, or use another user.',
    });
  }
  const settings = {
    source: source.name,
    collectionId: source.collectionId,
    choices: describeChoices(config, planFile),
  };
  // No job has this number: what an unfinished one has done is not known here.
  const jobId = isOneOfSeveral ? '0' : null;
  const request = { table, settings, ifExists, isRestart, isTrial, jobId };
  const decision = await session.run((client) => decideRun(client, request));
  const { plan, notices } = await planFor(config, session, source, table, planFile, decision);
  const documents = await source.estimateCount();
  onEvent({
    kind: 'dry-run-collection',
    source: source.name,
    decision: describeDecision(decision),
    statements: decision.kind === 'begin' ? statementsOf(plan) : [],
    notices,
    documents,
    estimatedBytes: Math.round(documents * (await measureRow(source, plan, config.sampleSize))),
  });
}

async function planFor(
  config: Config,
  session: Session,
  source: Source,
  table: Pick<Plan, 'schema' | 'table'>,
  planFile: PlanFile | null,
  decision: RunDecision,
): Promise<{ plan: Plan; notices: readonly string[] }> {
  if (decision.kind !== 'begin') return { plan: decision.run.settings.plan, notices: [] };
  const existing =
    decision.ifExists === 'drop' ? null : await session.run((client) => readTable(client, table));
  const children =
    decision.ifExists === 'drop'
      ? []
      : await session.run((client) => readChildTables(client, table.schema, planFile?.children));
  return await makePlan(source, table, config, planFile, existing, children);
}

function describeDecision(decision: RunDecision): string {
  switch (decision.kind) {
    case 'continue':
      return `would continue ${describeRun(decision.run)}`;
    case 'done':
      return `is copied already: ${describeRun(decision.run)}`;
    case 'begin':
      return decision.removes === null
        ? 'would begin a new run'
        : `would begin anew, and remove ${decision.removes}`;
  }
}

function statementsOf(plan: Plan): string[] {
  return [
    ...tablesOf(plan).map(createTableStatement),
    addPrimaryKeyStatement(plan),
    ...(plan.children ?? []).flatMap((child) => addChildKeyStatements(plan, child)),
  ];
}

/** Bytes that a document needs in Postgres, on the average of a sample. */
async function measureRow(source: Source, plan: Plan, sampleSize: number): Promise<number> {
  const { documents } = await source.sample(Math.min(sampleSize, 1_000));
  if (documents.length === 0) return 0;
  const { copy, children } = createRowEncoder(plan).encodeBatch(arrayOfDocuments(documents));
  const bytes = children.reduce(
    (sum, child) => sum + child.copy.length + child.rows * bytesPerRow,
    copy.length,
  );
  return bytes / documents.length + bytesPerRow;
}
