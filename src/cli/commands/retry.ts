/** `npm run retry`: loads the dead letters of a table again, and reports those that remain. */

import { targetOptions, type Config, type TargetConfig } from '../../config/config.ts';
import { noUrl } from '../../config/secret-url.ts';
import { ExitCode, UsageError } from '../../common/errors.ts';
import { formatPlural } from '../../common/format.ts';
import { toIdentifier } from '../../common/identifiers.ts';
import { countDeadLetters } from '../../postgres/ledger/dead-letters.ts';
import { hasLedger, upgradeLedger } from '../../postgres/ledger/ledger.ts';
import { withTransformOf } from '../../plan/choose-transform.ts';
import { retryLetters } from '../../postgres/load/letter-retry.ts';
import { refitRun } from '../../postgres/table/refit.ts';
import { describeRun, type RunRequest } from '../../postgres/ledger/run-decision.ts';
import { lockTable } from '../../postgres/ledger/run-lock.ts';
import { listRuns } from '../../postgres/ledger/runs.ts';
import { withSession, type Session, type SessionOptions } from '../../postgres/connection/session.ts';
import { withServers } from '../servers-in-use.ts';
import { describeLetters } from '../text/summary.ts';
import type { CommandOptions } from './command-options.ts';

interface RetryOptions {
  /** Prints a line for people. */
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

type RetryConfig = TargetConfig & Pick<Config, 'postgresSchema' | 'mongoCollection' | 'transform'>;

/** @throws MigrationError */
export async function retry(config: Config, options: CommandOptions): Promise<ExitCode> {
  return await withServers({ ...config, mongoUrl: noUrl }, options, ({ postgresUrl }) =>
    retryDeadLetters({ ...config, postgresUrl }, { say: options.progress.say, signal: options.signal }),
  );
}

async function retryDeadLetters(config: RetryConfig, { say, signal }: RetryOptions): Promise<ExitCode> {
  const table = { schema: config.postgresSchema, table: toIdentifier(config.mongoCollection) };
  const options: SessionOptions = {
    ...targetOptions(config),
    applicationName: 'mongo2pg retry',
    // A run that loads the table at the same time would count these rows as its own.
    onConnect: (client) => lockTable(client, table),
    signal,
  };
  return await withSession(options, (session) => retryAllRuns(session, table, config, { say, signal }));
}

async function retryAllRuns(
  session: Session,
  table: RunRequest['table'],
  { transform }: Pick<Config, 'transform'>,
  { say, signal }: RetryOptions,
): Promise<ExitCode> {
  await upgradeLedger(session);
  const runs = await session.run(async (client) =>
    (await hasLedger(client)) ? listRuns(client, table) : [],
  );
  if (runs.length === 0) {
    throw new UsageError(`the ledger has no run into ${table.schema}.${table.table}`, {
      code: 'RUN_UNKNOWN',
      fix: 'set MONGO_COLLECTION and POSTGRES_SCHEMA as they were for the run.',
    });
  }
  let isAnyLeft = false;
  for (const run of runs) {
    const plan = await session.transaction((client) => refitRun(client, run));
    const moved = await withTransformOf(plan, transform);
    const { loaded, left } = await retryLetters(session, run.runId, moved, signal);
    say(`${describeRun(run)}: ${formatPlural(loaded, 'dead letter')} loaded, ${left} left`);
    const reasons = await session.run((client) => countDeadLetters(client, run.runId));
    for (const line of describeLetters(reasons, run.runId)) say(line);
    isAnyLeft ||= left > 0;
  }
  return isAnyLeft ? ExitCode.deadLetters : ExitCode.ok;
}
