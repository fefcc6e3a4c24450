/** Whether the run that is compared is still what it was: other commands may change its plan, or copy it again, meanwhile. */

import { UsageError } from '../../common/errors.ts';
import { describeRun } from '../../postgres/ledger/run-decision.ts';
import { findRunById, type Run } from '../../postgres/ledger/runs.ts';
import type { Session } from '../../postgres/connection/session.ts';

/**
 * To be called after the last row was compared: a row that a promotion has changed differs from what the former plan expects,
 * although nothing is wrong.
 * @throws UsageError if a promotion has begun, or the run was replaced, since `run` was read
 */
export async function requireUnchangedRun(session: Session, run: Run): Promise<void> {
  const now = await session.run((client) => findRunById(client, run.runId));
  const before = run.settings.plan.columns;
  if (now !== null && now.settings.plan.columns.length === before.length) return;
  const what =
    now === null ? 'another copy has replaced it' : 'a field was promoted, which has changed its rows';
  throw new UsageError(`${describeRun(run)} changed while it was compared: ${what}`, {
    code: 'RUN_CHANGED',
    fix: 'verify again when the other command has finished.',
  });
}
