/** Compares each collection that the config names with its table. */

import type { Config } from '../../config/config.ts';
import { openSource, primarySession, type Audience } from '../connections.ts';
import {
  ExitCode,
  InterruptedError,
  MigrationError,
  NoCollectionError,
  NothingToCopyError,
  UsageError,
} from '../../common/errors.ts';
import type { RunEvent } from '../../observe/events.ts';
import type { Failure } from '../../observe/outcome.ts';
import type { VerificationSummary } from '../../observe/verification-summary.ts';
import { withPace } from '../pace/pace-keeper.ts';
import { describeFailure, handOverIf, stopsAll } from '../failure.ts';
import { formatPlural } from '../../common/format.ts';
import { Listeners, type JobListener } from '../../observe/listeners.ts';
import { explainDatabaseError } from '../../postgres/connection/connection.ts';
import { hasLedger, upgradeLedger } from '../../postgres/ledger/ledger.ts';
import { requirePromoted } from '../../postgres/ledger/promotions.ts';
import { describeRun } from '../../postgres/ledger/run-decision.ts';
import { listCopied, listRuns, listRunsOfSource, readTotals, type Run } from '../../postgres/ledger/runs.ts';
import type { FollowedCollection } from '../../postgres/worker-settings.ts';
import { requireServer } from '../../postgres/connection/server-check.ts';
import { withSession, type Session } from '../../postgres/connection/session.ts';
import { chooseCollections, isChosen, namesSeveral } from '../../config/collection-choice.ts';
import type { Database } from '../../source/database.ts';
import type { Source } from '../../source/source.ts';
import { withTransformOf } from '../../plan/choose-transform.ts';
import type { LeadVerifying } from './shared-verification.ts';
import { openCopied } from './copied-source.ts';
import { Verification } from './verification.ts';
import { chooseSize, Workforce } from '../workforce.ts';
import { createPools } from '../../workers/pool/create-pool.ts';
import type { Share } from '../../workers/supervisor/shared-size.ts';
import { qualifiedName } from '../../postgres/connection/relations.ts';

export interface VerifyOptions {
  /** Called in this order. */
  readonly listeners: readonly JobListener[];
  readonly signal: AbortSignal;
  /** Collections to skip, as `database.collection`. */
  readonly leftOut?: ReadonlySet<string>;
  /** Set if several hosts compare and this one leads. */
  readonly shared?: LeadVerifying & { readonly share: Share };
}

/** The result for each collection. */
export interface Verified {
  readonly summaries: readonly VerificationSummary[];
  /** With several collections, those that could not be compared; the error of a single one is thrown. */
  readonly failures: readonly Failure[];
}

/** @throws MigrationError */
export async function verify(config: Config, options: VerifyOptions): Promise<Verified> {
  const { onEvent } = new Listeners(options.listeners);
  const audience = { onEvent, signal: options.signal };
  return await withBothSides(config, audience, async ({ session, database }) => {
    const { leftOut, shared } = options;
    return await verifyWith(config, { ...audience, session, database, leftOut, shared });
  });
}

/** For a command that reads both sides, and may have to upgrade the ledger. */
export async function withBothSides<T>(
  config: Config,
  audience: Audience,
  work: (sides: { readonly session: Session; readonly database: Database }) => Promise<T>,
): Promise<T> {
  return await withSession(primarySession(config, audience), async (session) => {
    await session.run(requireServer);
    await upgradeLedger(session);
    const database = await openSource(config, audience);
    try {
      const paced = { ...audience, config, database, session, work: `comparing ${database.name}` };
      return await withPace(paced, (source) => work({ session, database: source }));
    } finally {
      await database.close();
    }
  });
}

/** Compares with workers of its own, which are stopped afterwards. */
export async function verifyWith(
  config: Config,
  job: Omit<VerifyJob, 'config' | 'workforce'>,
): Promise<Verified> {
  const work = (workforce: Workforce): Promise<Verified> => verifyAll({ ...job, config, workforce });
  return await withWorkforce(config, job, work, job.shared?.share);
}

/** Starts workers for `work`, and stops them afterwards. @param share see `chooseSize` */
export async function withWorkforce<T>(
  config: Config,
  { session, ...audience }: Audience & { readonly session: Session },
  work: (workforce: Workforce) => Promise<T>,
  share?: Share,
): Promise<T> {
  const size = await chooseSize(config, session, audience.onEvent, share);
  const pools = await createPools(config.clusterImplementation);
  const workforce = new Workforce(config, pools, size, audience);
  try {
    const result = await work(workforce);
    await workforce.dismiss();
    return result;
  } finally {
    await workforce.kill();
  }
}

interface VerifyJob {
  /** Set for a repair. @throws MigrationError for a collection that cannot be repaired */
  readonly repairOf?: (run: Run) => Promise<FollowedCollection>;
  readonly config: Config;
  readonly session: Session;
  readonly workforce: Workforce;
  readonly database: Database;
  readonly leftOut: ReadonlySet<string> | undefined;
  readonly shared?: VerifyOptions['shared'] | undefined;
  readonly onEvent: (event: RunEvent) => void;
  readonly signal: AbortSignal;
}

async function verifyAll(job: VerifyJob): Promise<Verified> {
  const { config, database, onEvent, signal } = job;
  const summaries: VerificationSummary[] = [];
  const failures: Failure[] = [];
  for (const collection of await listWanted(job)) {
    signal.throwIfAborted();
    const source = `${database.name}.${collection}`;
    if (job.leftOut?.has(source) === true) continue;
    try {
      const summary = await verifyCollection(job, collection);
      if (summary !== null) summaries.push(summary);
    } catch (thrown) {
      const error = await handOverIf(explainDatabaseError(thrown, config.postgresUrl), job.shared?.handsOver);
      if (error instanceof InterruptedError) throw error;
      const isAlone = namesSeveral(config.mongoCollection) && !stopsAll(error, signal);
      const failure = describeFailure(source, error);
      onEvent({ kind: 'failed', work: 'compare', ...failure, isAlone });
      if (!isAlone) throw error;
      failures.push(failure);
    }
  }
  return { summaries, failures };
}

/** @returns null if it has nothing to compare and is one of several */
async function verifyCollection(job: VerifyJob, collection: string): Promise<VerificationSummary | null> {
  const { config, session, workforce, database, onEvent, signal, shared } = job;
  const name = `${database.name}.${collection}`;
  const runs = await findRunOf(config, session, name);
  if (runs instanceof UsageError) {
    const reason = await whyNothingWasCopied(config, database, collection);
    if (reason === null) throw runs;
    onEvent({ kind: 'skipped', source: name, reason });
    return null;
  }
  const { otherRuns } = runs;
  const { settings } = runs.run;
  const run = {
    ...runs.run,
    settings: { ...settings, plan: await withTransformOf(settings.plan, config.transform) },
  };
  await session.run((client) => requirePromoted(client, run.runId, settings.plan));
  const source = await openAsCopied(database, collection, run, session);
  const supervisor = await workforce.supervise();
  const repair = await job.repairOf?.(run);
  const verification = new Verification({
    ...{ config, session, supervisor, source, run, otherRuns, onEvent, signal },
    ...(repair === undefined ? {} : { repair }),
    ...(shared === undefined ? {} : { shared }),
  });
  return await verification.execute();
}

async function listWanted({ config, database, session, onEvent }: VerifyJob): Promise<string[]> {
  const { source: dump, mongoCollection, excludeCollections, postgresSchema } = config;
  if (!namesSeveral(mongoCollection)) return [mongoCollection];
  const infos = await database.listCollections();
  const copied = await session.run(async (client) =>
    (await hasLedger(client)) ? await listCopied(client, database.name, postgresSchema) : [],
  );
  const there = new Set(infos.map(({ name }) => name));
  const gone = copied.filter(
    (name) => !there.has(name) && isChosen(name, mongoCollection, excludeCollections),
  );
  if (dump !== undefined) {
    // They may come from another dump or a server, so that they are not missing here.
    for (const name of gone) {
      const source = `${database.name}.${name}`;
      const message = `${source} was copied, but is not in this dump: its table is not compared`;
      onEvent({ kind: 'notice', source, message });
    }
    return chooseCollections(infos, mongoCollection, excludeCollections).chosen.map(({ name }) => name);
  }
  const asListed = gone.map((name) => ({ name, type: 'collection', bytes: 0 }));
  const { chosen, skipped } = chooseCollections([...infos, ...asListed], mongoCollection, excludeCollections);
  // A view may have taken the name of a collection. Then the user must know that its table is not compared.
  const lost = skipped.filter(({ name }) => copied.includes(name));
  return [...chosen, ...lost].map(({ name }) => name);
}

/** With several collections, one without documents has no run. */
async function whyNothingWasCopied(
  { mongoCollection, filter }: Pick<Config, 'mongoCollection' | 'filter'>,
  database: Database,
  collection: string,
): Promise<string | null> {
  if (!namesSeveral(mongoCollection)) return null;
  try {
    await database.open(collection, filter);
    return null;
  } catch (error) {
    if (error instanceof NothingToCopyError) return error.message;
    throw error;
  }
}

/** @throws MigrationError if nothing is left to compare */
async function openAsCopied(
  database: Database,
  collection: string,
  run: Run,
  session: Session,
): Promise<Source> {
  try {
    return await openCopied(database, collection, run, session);
  } catch (error) {
    if (!(error instanceof NothingToCopyError || error instanceof NoCollectionError)) throw error;
    const { documentCount } = await session.run((client) => readTotals(client, run.runId));
    if (documentCount === 0) throw error;
    const copied = formatPlural(documentCount, 'document');
    throw new MigrationError(
      ExitCode.different,
      `${error.message}, and ${describeRun(run)} has copied ${copied} of it`,
      {
        code: error instanceof NothingToCopyError ? 'SOURCE_EMPTIED' : 'SOURCE_VANISHED',
        fix: `nothing is left to compare with the table ${qualifiedName(run.settings.plan)}: drop it if that is intended.`,
        cause: error,
      },
    );
  }
}

/** The latest finished run of the collection, and other runs into the same table. @throws UsageError if there is none */
async function findRunOf(
  { postgresSchema: schema }: Pick<Config, 'postgresSchema'>,
  session: Session,
  source: string,
): Promise<{ run: Run; otherRuns: Run[] } | UsageError> {
  const runs = await session.run(async (client) =>
    (await hasLedger(client)) ? await listRunsOfSource(client, source) : [],
  );
  const [run, unfinished] = [true, false].map((isFinished) =>
    runs.find((other) => other.isFinished === isFinished && other.settings.plan.schema === schema),
  );
  if (run === undefined) {
    if (unfinished !== undefined) {
      throw new UsageError(`${describeRun(unfinished)} is not finished`, {
        code: 'RUN_UNFINISHED',
        fix: 'finish it first: run the command that started it again; it resumes.',
      });
    }
    return new UsageError(`the ledger has no run of ${source} into the schema ${schema}`, {
      code: 'RUN_UNKNOWN',
      fix: 'set MONGO_DB, MONGO_COLLECTION and POSTGRES_SCHEMA as they were for the run.',
    });
  }
  if (!run.isSameTable) {
    throw new UsageError(`the table of ${describeRun(run)} was dropped since`, {
      code: 'TABLE_DROPPED',
      fix: 'copy the collection again.',
    });
  }
  const inTable = await session.run((client) => listRuns(client, run.settings.plan));
  return { run, otherRuns: inTable.filter(({ runId }) => runId !== run.runId) };
}
