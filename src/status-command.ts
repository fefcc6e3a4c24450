/** `npm run status`: tells of runs from the ledger alone, once or again and again. */

import { setTimeout as delay } from 'node:timers/promises';
import { targetOptions, type Config } from './config.ts';
import { UsageError } from './errors.ts';
import { hasLedger } from './postgres/ledger.ts';
import { readRunStatus, type RunStatus } from './postgres/run-status.ts';
import { withSession, type Session } from './postgres/session.ts';
import { describeStatus, nextStep } from './status-text.ts';

/** Often enough to see it move, seldom enough to cost nothing. */
const watchEveryMs = 2_000;

/** Puts the cursor in the upper left corner and clears what is below. */
const clearScreen = '\u001b[H\u001b[J';

/** @throws MigrationError */
export async function showStatus(config: Config, signal: AbortSignal): Promise<void> {
  const options = { ...targetOptions(config), applicationName: 'mongo2pg status', signal };
  await withSession(options, async (session) => {
    for (;;) {
      const runs = await readStatus(session, config.showsAll);
      print(runs, config);
      if (!config.isWatching || !runs.some(({ state }) => state === 'running')) return;
      await delay(watchEveryMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
    }
  });
}

async function readStatus(session: Session, includesReplaced: boolean): Promise<RunStatus[]> {
  return await session.run(async (client) => {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    try {
      if (!(await hasLedger(client))) {
        throw new UsageError('this database has no ledger: nothing was copied into it', {
          fix: 'give POSTGRES_URL the database that the run has loaded.',
        });
      }
      return await readRunStatus(client, includesReplaced);
    } finally {
      await client.query('ROLLBACK');
    }
  });
}

function print(runs: readonly RunStatus[], { json, isWatching }: Config): void {
  if (json) {
    const told = runs.map((run) => ({ ...run, next: nextStep(run.state, run.deadLettered) }));
    process.stdout.write(`${JSON.stringify({ runs: told })}\n`);
    return;
  }
  const isRedrawn = isWatching && process.stdout.isTTY;
  const text = runs.length === 0 ? 'the ledger has no runs' : runs.map(describeStatus).join('\n\n');
  process.stdout.write(`${isRedrawn ? clearScreen : ''}${text}\n${isWatching && !isRedrawn ? '\n' : ''}`);
}
