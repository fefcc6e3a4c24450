/** `npm start -- --dry-run`: inspects both sides and reports what a start would do, without writing to either. */

import { targetOptions, type Config } from '../config/config.ts';
import { ExitCode, MigrationError, NothingToCopyError } from '../common/errors.ts';
import type { DryRunEvent } from '../observe/dry-run-event.ts';
import { formatPlural } from '../common/format.ts';
import { createIndexStatement } from '../plan/indexes/index-plan.ts';
import { chooseTable, listTables } from '../plan/plan-table.ts';
import { readConnectionsLeft } from '../postgres/connection/capacity.ts';
import { describePostgres, explainDatabaseError } from '../postgres/connection/connection.ts';
import {
  addChildKeyStatements,
  addPrimaryKeyStatement,
  createTableStatement,
  listKeyedChildren,
  tablesOf,
} from '../postgres/table/ddl.ts';
import { distributeStatements } from '../postgres/table/distribution.ts';
import { findJob } from '../postgres/ledger/jobs.ts';
import { describeDone, describeRun } from '../postgres/ledger/run-decision.ts';
import { lockJob, lockTable, unlockJob, unlockTable } from '../postgres/ledger/run-lock.ts';
import { readVersion, requireServer } from '../postgres/connection/server-check.ts';
import { withSession, type Session, type SessionOptions } from '../postgres/connection/session.ts';
import { estimateBytes } from '../postgres/table/size-estimate.ts';
import { scriptSetting, type Script } from '../postgres/ledger/scripts.ts';
import { requireNode } from './connections.ts';
import { forecastScript, readScripts } from './job/scripts.ts';
import { prepareRun, type Preparation } from './collection/prepare.ts';
import {
  chooseCollections,
  describeSelection,
  isFromScratch,
  namesSeveral,
} from '../config/collection-choice.ts';
import type { Database } from '../source/database.ts';
import type { Source } from '../source/source.ts';
import { arrayOfDocuments } from '../bson/array.ts';
import { createRowEncoder } from '../transcode/row.ts';
import { isCollectionEmpty } from '../source/mongo/is-collection-empty.ts';
import type { PlanFile } from '../plan/file/plan-schema.ts';
import type { TransformFile } from '../transcode/plan.ts';
import { openBatchTransform } from '../transcode/transform/open-batch-transform.ts';
import { listLetters, withCodes } from '../postgres/load/loadable-batch.ts';
import { encodeResults } from '../postgres/load/transformed-batch.ts';
import { openDatabase } from '../source/open-database.ts';
import { qualifiedName } from '../postgres/connection/relations.ts';

export interface DryRunOptions {
  readonly planFile: PlanFile | null;
  readonly transform: TransformFile | null;
  readonly isTrial: boolean;
  /** Whether a start would first fill an empty collection with sample users. */
  readonly isSeeded: boolean;
  readonly onEvent: (event: DryRunEvent) => void;
  readonly signal: AbortSignal;
}

/** A placeholder for the job that a start would open; no run has this id. */
const newJob = '0';

/** Enough documents for an average size. */
const estimateSize = 1_000;

/** @returns the exit code of a start, as far as it can be predicted @throws MigrationError */
export async function dryRun(config: Config, options: DryRunOptions): Promise<ExitCode> {
  const scripts = await readScripts(config);
  const sessionOptions: SessionOptions = {
    ...targetOptions(config),
    applicationName: 'mongo2pg dry run',
    // Postgres itself enforces that nothing is written.
    onConnect: async (client) => {
      await client.query('SET default_transaction_read_only = on');
    },
    signal: options.signal,
  };
  return await withSession(sessionOptions, async (session) => {
    const server = await session.run(async (client) => ({
      version: await requireServer(client).then(() => readVersion(client)),
      connectionsLeft: await readConnectionsLeft(client),
    }));
    await requireNode(config, session, options.signal);
    options.onEvent({ kind: 'dry-run-server', target: describePostgres(config.postgresUrl), ...server });
    const database = await openDatabase(config, { signal: options.signal });
    const lookAtScript = async (script: Script | null): Promise<void> => {
      if (script === null) return;
      const of = { config, sourceDb: database.name, isTrial: options.isTrial };
      const decision = await session.run((client) => forecastScript(client, script, of));
      options.onEvent({ kind: 'dry-run-script', setting: scriptSetting(script.stage), decision });
    };
    try {
      await lookAtScript(scripts.before);
      const exitCode = await inspectAll(config, options, session, database);
      await lookAtScript(scripts.after);
      return exitCode;
    } finally {
      await database.close();
    }
  });
}

type Why = Pick<Extract<DryRunEvent, { kind: 'dry-run-failure' }>, 'code' | 'fix'>;

async function inspectAll(
  config: Config,
  options: DryRunOptions,
  session: Session,
  database: Database,
): Promise<ExitCode> {
  const { mongoUrl, mongoCollection, excludeCollections, postgresSchema, restart: isRestart } = config;
  const leaveOut = (name: string, message: string, { code, fix }: Why = { code: null, fix: '' }): void => {
    options.onEvent({ kind: 'dry-run-failure', source: `${database.name}.${name}`, code, message, fix });
  };
  if (!namesSeveral(mongoCollection)) {
    if (
      options.isSeeded &&
      (await isCollectionEmpty({ url: mongoUrl.reveal(), db: database.name, collection: mongoCollection }))
    ) {
      leaveOut(mongoCollection, 'is empty: a start would fill it with users first, and then copy them');
      return ExitCode.ok;
    }
    return await inspect(config, options, session, database, mongoCollection, null, []);
  }
  const infos = await database.listCollections();
  const { chosen, skipped } = chooseCollections(infos, mongoCollection, excludeCollections);
  for (const { name, reason } of skipped) leaveOut(name, `skipped: ${reason}`);
  const selection = describeSelection(config);
  const request = { sourceDb: database.name, schema: postgresSchema, selection, isRestart };
  const unfinished = await session.run((client) => findJob(client, request));
  if (unfinished !== null) {
    await session.run(async (client) => {
      await lockJob(client, unfinished);
      await unlockJob(client, unfinished);
    }, 'long');
  }
  const jobId = unfinished ?? newJob;
  let exitCode: ExitCode = ExitCode.ok;
  let failure: ExitCode | null = null;
  const names = chosen.map(({ name }) => name);
  for (const name of names) {
    options.signal.throwIfAborted();
    try {
      const code = await inspect(config, options, session, database, name, jobId, names);
      if (code !== ExitCode.ok) exitCode = code;
    } catch (thrown) {
      const error = explainDatabaseError(thrown, config.postgresUrl);
      if (!(error instanceof MigrationError) || error.isServerGone) throw error;
      if (error instanceof NothingToCopyError) {
        leaveOut(name, `skipped: ${error.message}`, { code: error.code, fix: '' });
        continue;
      }
      leaveOut(name, error.message, error);
      failure ??= error.exitCode;
    }
  }
  return failure ?? exitCode;
}

async function inspect(
  config: Config,
  { planFile, transform, isTrial, onEvent }: DryRunOptions,
  session: Session,
  database: Database,
  collection: string,
  jobId: string | null,
  collections: readonly string[],
): Promise<ExitCode> {
  const table = chooseTable(config.postgresSchema, collection, planFile);
  const source = await database.open(collection, config.filter);
  await session.run(async (client) => {
    // Taking the lock shows whether another start holds it. It is released at once, so that no start waits for a dry run.
    await lockTable(client, table);
    await unlockTable(client, table);
  }, 'long');
  const prepared = await prepareRun({
    config: { ...config, restart: isFromScratch(collection, config) },
    ...{ session, source, table, planFile, transform, jobId, isTrial },
    otherTables: listTables(collections, collection),
  });
  const documents = await source.estimateCount();
  const estimate =
    prepared.kind === 'done' ? { bytes: null, notices: [] } : await estimateRows(source, prepared, documents);
  onEvent({
    kind: 'dry-run-collection',
    source: source.name,
    decision: describePreparation(prepared),
    statements: prepared.kind === 'begin' ? listStatements(prepared) : [],
    notices: [...listNotices(prepared), ...estimate.notices],
    documents,
    estimatedBytes: estimate.bytes === null ? null : Math.round(estimate.bytes),
  });
  return prepared.kind === 'done' && prepared.deadLettered > 0 ? ExitCode.deadLetters : ExitCode.ok;
}

function describePreparation(prepared: Preparation): string {
  switch (prepared.kind) {
    case 'continue':
      return `would continue ${describeRun(prepared.run)}`;
    case 'done':
      return describeDone(prepared);
    case 'begin':
      return prepared.removes === null
        ? 'would begin a new run'
        : `would start from scratch and remove ${prepared.removes}`;
  }
}

/** The statements of a start, except for those of the load. */
function listStatements({
  settings: { plan },
  work,
  isDistributed,
}: Preparation & { kind: 'begin' }): string[] {
  const { dropped, isTruncated, isNew, indexes } = work;
  // Such tables get their keys before the load.
  const needsKey = work.needsKey && !(isNew && isDistributed);
  return [
    ...(dropped.length > 0 ? [`DROP TABLE ${dropped.map(qualifiedName).join(', ')}`] : []),
    ...(isTruncated ? [`TRUNCATE ${tablesOf(plan).map(qualifiedName).join(', ')}`] : []),
    ...(isNew ? tablesOf(plan).map(createTableStatement) : []),
    ...(isNew && isDistributed ? distributeStatements(plan) : []),
    ...(needsKey
      ? [addPrimaryKeyStatement(plan), ...listKeyedChildren(plan).flatMap(addChildKeyStatements)]
      : []),
    ...indexes.map((index) => createIndexStatement(index, index.name)),
  ];
}

function listNotices(prepared: Preparation): string[] {
  if (prepared.kind === 'done') return [];
  const { notices, leftIndexes } = prepared;
  return [
    ...notices,
    ...leftIndexes.map(({ index, reason }) => `index ${index} is not carried over: ${reason}`),
  ];
}

/** @returns the bytes of all documents in Postgres, and how many of the sample would be dead letters */
async function estimateRows(
  source: Source,
  prepared: Exclude<Preparation, { kind: 'done' }>,
  total: number,
): Promise<{ bytes: number; notices: string[] }> {
  const { plan } = prepared.kind === 'begin' ? prepared.settings : prepared.run.settings;
  const sample = prepared.kind === 'begin' ? prepared.sample : null;
  const documents = (sample ?? (await source.sample(estimateSize))).documents.slice(0, estimateSize);
  if (documents.length === 0) return { bytes: 0, notices: [] };
  const encoder = createRowEncoder(plan);
  const transform = await openBatchTransform(plan);
  const array = arrayOfDocuments(documents);
  const encoded =
    transform === null
      ? withCodes(encoder.encodeBatch(array))
      : await encodeResults(encoder, transform, array);
  const letters = listLetters(encoded);
  const [first] = letters;
  const sampled = formatPlural(documents.length, 'sampled document');
  return {
    bytes: estimateBytes(plan, encoded, total / documents.length),
    notices:
      first === undefined
        ? []
        : [`of ${sampled}, ${letters.length} would become dead letters: ${first.detail}`],
  };
}
