/** The command `cutover`: with the comparison, and the indexes that were created in MongoDB since the copy. */

import { collectionOf } from '../../../common/namespace.ts';
import { targetOptions, type Config } from '../../../config/config.ts';
import type { RunEvent } from '../../../observe/events.ts';
import type { CutoverOutcome } from '../../../observe/outcome.ts';
import type { VerificationSummary } from '../../../observe/verification-summary.ts';
import { Listeners, type JobListener } from '../../../observe/listeners.ts';
import type { Session } from '../../../postgres/connection/session.ts';
import { findRunById } from '../../../postgres/ledger/runs.ts';
import { finishTable } from '../../../postgres/table/finish-table.ts';
import type { Database } from '../../../source/database.ts';
import { verifyWith, withBothSides, type Verified } from '../../verify/verify.ts';
import { checkCutover, cutOver, type CutoverOptions } from './cutover.ts';
import { compareRest, type RestOptions } from './rest.ts';

export interface CutoverJobOptions {
  /** Called in this order. */
  readonly listeners: readonly JobListener[];
  readonly signal: AbortSignal;
}

/** @throws MigrationError with the reason; then following continues */
export async function cutover(
  config: Config,
  { listeners, signal }: CutoverJobOptions,
): Promise<CutoverOutcome> {
  const { onEvent } = new Listeners(listeners);
  const say = (message: string): void => {
    onEvent({ kind: 'notice', message });
  };
  return await withBothSides(config, { onEvent, signal }, async ({ session, database }) => {
    let summaries: readonly VerificationSummary[] = [];
    const options: CutoverOptions = {
      ...{ config, session, database, signal, say },
      verify: async (of) => {
        const verified = await compare({ ...of, config, session, database, onEvent, signal });
        summaries = verified.summaries;
        return verified;
      },
      finishTables: (runIds) => finishTables(runIds, { config, session, database, onEvent, signal }),
    };
    const name = `${database.name}.${config.mongoCollection}`;
    const { state, leftOut } = config.check ? await checkCutover(options) : await cutOver(options);
    const left = leftOut.map(({ collection }) => `${database.name}.${collection}`);
    const without = left.length === 0 ? '' : ` without ${left.join(', ')}`;
    if (state === 'now') onEvent({ kind: 'cut-over', source: name, leftOut: left });
    else say(state === 'before' ? `${name} was cut over before` : `${name} can be cut over${without}`);
    return { state, leftOut: left, summaries };
  });
}

/** Documents that were compared while following and have not changed since are not compared again. */
async function compare(options: Omit<RestOptions, 'changes'>): Promise<Verified> {
  const { config, database, session, onEvent, signal } = options;
  const { changes } = database;
  const job = { session, database, onEvent, signal };
  const without = options.leftOut.map((name) => `${database.name}.${name}`);
  if (changes === undefined) return await verifyWith(config, { ...job, leftOut: new Set(without) });
  const { summaries, unproven } = await compareRest({ ...options, changes });
  if (unproven.length === 0) return { summaries, failures: [] };
  const leftOut = new Set([...without, ...summaries.map(({ source }) => source)]);
  const verified = await verifyWith(config, { ...job, leftOut });
  return { ...verified, summaries: [...summaries, ...verified.summaries] };
}

interface FinishOptions {
  readonly config: Config;
  readonly session: Session;
  readonly database: Database;
  readonly onEvent: (event: RunEvent) => void;
  readonly signal: AbortSignal;
}

/** Builds indexes that were created in MongoDB since the copy. */
async function finishTables(
  runIds: readonly string[],
  { config, session, database, onEvent, signal }: FinishOptions,
): Promise<void> {
  if (config.indexes !== 'carry') return;
  for (const runId of runIds) {
    const run = await session.run((client) => findRunById(client, runId));
    if (run === null) continue;
    const { source } = run.settings;
    const collection = collectionOf(source);
    const opened = await database.open(collection, undefined, await database.changes?.readTime());
    const specs = (await opened.hints?.listIndexes()) ?? [];
    await finishTable(session, run, specs, {
      ...targetOptions(config),
      ...{ signal, jobs: config.indexJobs },
      onIndex: (account) => {
        if (account.outcome === 'built') onEvent({ kind: 'index', source, ...account });
      },
    });
  }
}
