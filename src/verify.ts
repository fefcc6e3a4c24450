/** Proves that what is in PostgreSQL is what is in MongoDB: compares each collection that the config names with its table. */

import pg from 'pg';
import type { Config } from './config.ts';
import { UsageError } from './errors.ts';
import type { RunEvent, VerificationSummary } from './events.ts';
import { options as settings } from './options.ts';
import type { Supervisor } from './pool/supervisor.ts';
import { explainPostgresError } from './postgres/connection.ts';
import { hasLedger } from './postgres/ledger.ts';
import { describeRun } from './postgres/run-decision.ts';
import { listRuns, listRunsOfSource, type Run } from './postgres/runs.ts';
import { Session } from './postgres/session.ts';
import { chooseCollections, namesSeveral } from './source/collection-choice.ts';
import { Database } from './source/database.ts';
import { parseFilter } from './source/filter.ts';
import { Verification } from './verification.ts';
import { bringUpWorkers, chooseSize, dismissWorkers } from './workforce.ts';

export interface VerifyOptions {
  readonly onEvent: (event: RunEvent) => void;
  readonly signal: AbortSignal;
}

/** @throws MigrationError */
export async function verify(config: Config, options: VerifyOptions): Promise<VerificationSummary[]> {
  const session = await Session.open({
    url: config.postgresUrl,
    applicationName: 'mongo2pg primary',
    retryLimitMs: config.retryLimitMs,
    answerTimeoutMs: config.answerTimeoutMs,
    signal: options.signal,
  });
  try {
    return await verifyAll(config, options, session);
  } catch (error) {
    throw error instanceof pg.DatabaseError ? explainPostgresError(error, config.postgresUrl) : error;
  } finally {
    await session.close();
  }
}

async function verifyAll(
  config: Config,
  options: VerifyOptions,
  session: Session,
): Promise<VerificationSummary[]> {
  const notify = (message: string): void => {
    options.onEvent({ kind: 'notice', message });
  };
  const size = await chooseSize(config, session, notify);
  let verification: Verification | undefined;
  const supervisor = await bringUpWorkers(config, size, {
    onNotice: notify,
    onSettled: (batch) => {
      verification?.onSettled(batch);
    },
    onAck: (ack) => {
      verification?.onAck(ack);
    },
  });
  try {
    const summaries: VerificationSummary[] = [];
    for (const collection of await listWanted(config)) {
      options.signal.throwIfAborted();
      summaries.push(
        await verifyOne(config, options, session, supervisor, collection, (created) => {
          verification = created;
        }),
      );
    }
    await dismissWorkers(supervisor, notify);
    return summaries;
  } finally {
    // After an orderly end there is none left.
    await supervisor.kill();
  }
}

async function listWanted(config: Config): Promise<string[]> {
  const { mongoCollection, excludeCollections } = config;
  if (!namesSeveral(mongoCollection)) return [mongoCollection];
  const database = await connect(config, undefined);
  try {
    const infos = await database.listCollections();
    return chooseCollections(infos, mongoCollection, excludeCollections).chosen.map(({ name }) => name);
  } finally {
    await database.close();
  }
}

async function verifyOne(
  config: Config,
  { onEvent, signal }: VerifyOptions,
  session: Session,
  supervisor: Supervisor,
  collection: string,
  onCreated: (verification: Verification) => void,
): Promise<VerificationSummary> {
  const name = `${config.mongoDb}.${collection}`;
  const { run, otherRuns } = await findRunOf(config, session, name);
  // What the run left out is not missing.
  const filter = run.settings.choices[settings.filter.env];
  const database = await connect(config, filter);
  try {
    const source = await database.open(collection);
    const parts = { config, session, supervisor, source, run, otherRuns, onEvent, signal };
    const verification = new Verification(parts);
    onCreated(verification);
    return await verification.execute();
  } finally {
    await database.close();
  }
}

/** The latest finished run that copied the collection, and the others whose rows are in the same table. */
async function findRunOf(
  config: Config,
  session: Session,
  source: string,
): Promise<{ run: Run; otherRuns: Run[] }> {
  const runs = await session.run(async (client) =>
    (await hasLedger(client)) ? await listRunsOfSource(client, source) : [],
  );
  const schema = config.postgresSchema;
  const [run, unfinished] = [true, false].map((isFinished) =>
    runs.find((other) => other.isFinished === isFinished && other.settings.plan.schema === schema),
  );
  if (run === undefined) {
    throw unfinished === undefined
      ? new UsageError(`the ledger knows no run of ${source} into the schema ${schema}`, {
          fix: 'set MONGO_DB, MONGO_COLLECTION and POSTGRES_SCHEMA as they were for the run.',
        })
      : new UsageError(`${describeRun(unfinished)} is not finished`, {
          fix: 'finish it: the command that began it goes on where it stopped.',
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

async function connect(config: Config, filter: string | undefined): Promise<Database> {
  const { mongoUrl: url, mongoDb: db, retryLimitMs, answerTimeoutMs } = config;
  return await Database.connect({
    url,
    db,
    retryLimitMs,
    answerTimeoutMs,
    ...(filter === undefined ? {} : { filter: parseFilter(filter, 'the filter of the run') }),
  });
}
