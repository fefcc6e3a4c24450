/** Proves that what is in PostgreSQL is what is in MongoDB: compares each collection that the config names with its table. */

import type { Config } from './config.ts';
import { openSource, primarySession } from './connections.ts';
import {
  ExitCode,
  InterruptedError,
  MigrationError,
  NoCollectionError,
  NothingToCopyError,
  UsageError,
} from './errors.ts';
import type { Failure, RunEvent, VerificationSummary } from './events.ts';
import { formatPlural } from './format.ts';
import { options as optionTable } from './options.ts';
import { createPool } from './pool/pool.ts';
import type { Supervisor } from './pool/supervisor.ts';
import { explainDatabaseError } from './postgres/connection.ts';
import { qualifiedName } from './postgres/ddl.ts';
import { hasLedger } from './postgres/ledger.ts';
import { describeRun } from './postgres/run-decision.ts';
import { listCopied, listRuns, listRunsOfSource, readTotals, type Run } from './postgres/runs.ts';
import { requireServer } from './postgres/server-check.ts';
import { withSession, type Session } from './postgres/session.ts';
import { chooseCollections, isChosen, namesSeveral } from './source/collection-choice.ts';
import type { Database } from './source/database.ts';
import { parseFilter } from './source/filter.ts';
import type { Source } from './source/source.ts';
import { Verification } from './verification.ts';
import { bringUpWorkers, chooseSize, dismissWorkers } from './workforce.ts';

export interface VerifyOptions {
  readonly onEvent: (event: RunEvent) => void;
  readonly signal: AbortSignal;
  /** Not to be compared: `database.collection`. */
  readonly leftOut?: ReadonlySet<string>;
}

/** What became of each collection. */
export interface Verified {
  readonly summaries: readonly VerificationSummary[];
  /** Of several collections, those that could not be compared; why a single one could not is thrown. */
  readonly failures: readonly Failure[];
}

/** @throws MigrationError */
export async function verify(config: Config, options: VerifyOptions): Promise<Verified> {
  const sessionOptions = primarySession(config, options);
  return await withSession(sessionOptions, (session) => verifyAll(config, options, session));
}

async function verifyAll(config: Config, options: VerifyOptions, session: Session): Promise<Verified> {
  const { onEvent, signal } = options;
  const notify = (message: string): void => {
    onEvent({ kind: 'notice', message });
  };
  await session.run(requireServer);
  const size = await chooseSize(config, session, notify);
  let verification: Verification | undefined;
  const pool = await createPool(config.clusterImplementation);
  const bringUp = (): Supervisor =>
    bringUpWorkers(config, pool, size, {
      onNotice: notify,
      onDeath: (id) => {
        onEvent({ kind: 'worker-died', id });
      },
      onSettled: (batch) => {
        verification?.onSettled(batch);
      },
      onAck: (ack) => {
        verification?.onAck(ack);
        if (ack.retries !== undefined) onEvent({ kind: 'retried', server: 'postgres', times: ack.retries });
      },
    });
  // First of all: processes take longer to come up than both sides take to be reached.
  let supervisor: Supervisor | undefined = bringUp();
  try {
    const database = await openSource(config, options);
    try {
      const summaries: VerificationSummary[] = [];
      const failures: Failure[] = [];
      const compare = async (collection: string): Promise<void> => {
        const runs = await findRunOf(config, session, `${database.name}.${collection}`);
        if (runs instanceof UsageError) {
          const why = await whyNothingWasCopied(config, database, collection);
          if (why === null) throw runs;
          notify(`left out: ${why}`);
          return;
        }
        const { run, otherRuns } = runs;
        const source = await openAsCopied(database, collection, run, session);
        supervisor ??= bringUp();
        const parts = { config, session, supervisor, source, run, otherRuns, onEvent, signal };
        verification = new Verification(parts);
        summaries.push(await verification.execute());
      };
      for (const collection of await listWanted(config, database, session, notify)) {
        signal.throwIfAborted();
        const source = `${database.name}.${collection}`;
        if (options.leftOut?.has(source) === true) continue;
        try {
          await compare(collection);
        } catch (thrown) {
          const error = explainDatabaseError(thrown, config.postgresUrl);
          if (!(error instanceof MigrationError) || error instanceof InterruptedError) throw error;
          const { message, fix, exitCode, isServerGone } = error;
          onEvent({ kind: 'failed', source, message });
          if (signal.aborted || isServerGone || !namesSeveral(config.mongoCollection)) throw error;
          failures.push({ source, message, fix, exitCode });
          notify(`${source} could not be compared: ${message}`);
          // Whatever its workers hold is of a comparison that is over.
          await supervisor?.kill();
          supervisor = undefined;
        }
      }
      if (supervisor !== undefined) await dismissWorkers(supervisor, notify);
      return { summaries, failures };
    } finally {
      await database.close();
    }
  } finally {
    // After an orderly end there is none left.
    await supervisor?.kill();
  }
}

async function listWanted(
  { dumpPath, mongoCollection, excludeCollections, postgresSchema }: Config,
  database: Database,
  session: Session,
  notify: (message: string) => void,
): Promise<string[]> {
  if (!namesSeveral(mongoCollection)) return [mongoCollection];
  const infos = await database.listCollections();
  const copied = await session.run(async (client) =>
    (await hasLedger(client)) ? await listCopied(client, database.name, postgresSchema) : [],
  );
  const there = new Set(infos.map(({ name }) => name));
  const gone = copied.filter(
    (name) => !there.has(name) && isChosen(name, mongoCollection, excludeCollections),
  );
  if (dumpPath !== undefined) {
    // Another dump, or a server, may have had them: this one has not lost them.
    for (const name of gone)
      notify(`${database.name}.${name} was copied, and is not in this dump: its table is not compared`);
    return chooseCollections(infos, mongoCollection, excludeCollections).chosen.map(({ name }) => name);
  }
  const asListed = gone.map((name) => ({ name, type: 'collection', bytes: 0 }));
  const { chosen, left } = chooseCollections([...infos, ...asListed], mongoCollection, excludeCollections);
  // A view may have taken the name of a collection: that its table cannot be compared has to be said.
  const lost = left.filter(({ name }) => copied.includes(name));
  return [...chosen, ...lost].map(({ name }) => name);
}

/** Of several collections, one that has nothing to be copied has no run. */
async function whyNothingWasCopied(
  { mongoCollection, filter }: Config,
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

/**
 * What the run left out is not missing.
 * @throws MigrationError where nothing is left of what was copied
 */
async function openAsCopied(
  database: Database,
  collection: string,
  run: Run,
  session: Session,
): Promise<Source> {
  const filter = run.settings.choices[optionTable.filter.env];
  try {
    if (filter === undefined) return await database.open(collection);
    return await database.open(collection, parseFilter(filter, 'the filter of the run'));
  } catch (error) {
    if (!(error instanceof NothingToCopyError || error instanceof NoCollectionError)) throw error;
    const { documents } = await session.run((client) => readTotals(client, run.runId));
    if (documents === 0) throw error;
    const copied = formatPlural(documents, 'document');
    throw new MigrationError(
      ExitCode.different,
      `${error.message}, and ${describeRun(run)} has copied ${copied} of it`,
      {
        code: error instanceof NothingToCopyError ? 'SOURCE_EMPTIED' : 'SOURCE_VANISHED',
        fix: `nothing is left to compare with the table ${qualifiedName(run.settings.plan)}: drop it, if that is as it should be.`,
        cause: error,
      },
    );
  }
}

/** The latest finished run that copied the collection, and the others whose rows are in the same table; else why not. */
async function findRunOf(
  config: Config,
  session: Session,
  source: string,
): Promise<{ run: Run; otherRuns: Run[] } | UsageError> {
  const runs = await session.run(async (client) =>
    (await hasLedger(client)) ? await listRunsOfSource(client, source) : [],
  );
  const schema = config.postgresSchema;
  const [run, unfinished] = [true, false].map((isFinished) =>
    runs.find((other) => other.isFinished === isFinished && other.settings.plan.schema === schema),
  );
  if (run === undefined) {
    if (unfinished !== undefined) {
      throw new UsageError(`${describeRun(unfinished)} is not finished`, {
        fix: 'finish it: the command that began it goes on where it stopped.',
      });
    }
    return new UsageError(`the ledger knows no run of ${source} into the schema ${schema}`, {
      fix: 'set MONGO_DB, MONGO_COLLECTION and POSTGRES_SCHEMA as they were for the run.',
    });
  }
  if (!run.isSameTable) {
    throw new UsageError(`the table of ${describeRun(run)} was dropped since`, {
      fix: 'copy the collection anew.',
    });
  }
  const inTable = await session.run((client) => listRuns(client, run.settings.plan));
  return { run, otherRuns: inTable.filter(({ runId }) => runId !== run.runId) };
}
