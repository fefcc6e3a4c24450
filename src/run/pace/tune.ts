/** Changes the pace of active processes. */

import { targetOptions, type TargetConfig } from '../../config/config.ts';
import { UsageError } from '../../common/errors.ts';
import { pollUntil } from '../../common/poll.ts';
import { writeRate } from '../../common/rate.ts';
import { hasLedger } from '../../postgres/ledger/ledger.ts';
import type { PaceRow } from '../../observe/pace.ts';
import { changePaces, listPaces } from '../../postgres/ledger/paces.ts';
import { withSession } from '../../postgres/connection/session.ts';
import type { PaceConfig } from './source-pace.ts';

/** A process applies changes within a second, unless its connection is building an index. */
const timeoutMs = 5_000;

/**
 * Changes only what the config sets.
 * @returns the pace of each active process; `isTaken` if it has applied it
 * @throws UsageError if no process is active
 */
export async function tune(config: TargetConfig & PaceConfig, signal: AbortSignal): Promise<PaceRow[]> {
  const { maxRate, loadLevel } = config;
  const options = { ...targetOptions(config), applicationName: 'mongo2pg tune', signal };
  return await withSession(options, async (session) => {
    const list = (): Promise<PaceRow[]> => session.run(listPaces);
    const isThere = await session.run(hasLedger);
    if (!isThere || (await list()).length === 0) throw nothingToTune();
    if (maxRate === undefined && loadLevel === undefined) return await list();
    const wanted = {
      ...(maxRate === undefined ? {} : { maxRate: writeRate(maxRate) }),
      ...(loadLevel === undefined ? {} : { loadLevel }),
    };
    await session.run((client) => changePaces(client, wanted));
    const isAllTaken = async (): Promise<PaceRow[] | undefined> => {
      const rows = await list();
      return rows.every(({ isTaken }) => isTaken) ? rows : undefined;
    };
    return (await pollUntil(isAllTaken, timeoutMs, signal)) ?? (await list());
  });
}

function nothingToTune(): UsageError {
  return new UsageError('no process is copying into this PostgreSQL', {
    code: 'NOTHING_TO_TUNE',
    fix: 'set MAX_RATE and LOAD_LEVEL with the start; a start can be tuned a second after it has begun.',
  });
}
