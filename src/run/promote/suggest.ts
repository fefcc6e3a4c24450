/** Suggests fields to promote, from a small sample of the extra column of each finished run. */

import pg from 'pg';
import type { PromotableField } from '../../observe/promotion.ts';
import type { Status } from '../../observe/status.ts';
import { byFrequency } from '../../plan/infer/seen.ts';
import type { Session } from '../../postgres/connection/session.ts';
import { findRunById } from '../../postgres/ledger/runs.ts';
import { sampleExtra } from '../../postgres/promote/extra-sample.ts';
import type { Plan } from '../../transcode/plan.ts';
import { findPlace } from './candidate.ts';
import { countSeen } from './survey.ts';

/** By run id. */
export type Promotable = ReadonlyMap<string, readonly PromotableField[]>;

/** Only the latest runs: with hundreds, sampling all would take long. */
const maxRuns = 20;
const maxFields = 3;
/** Share of the rows: rarer fields belong in the extra column. */
const minShare = 0.05;

/** Without those of tables that cannot be read, or not quickly. */
export async function listPromotable(session: Session, { runs }: Status): Promise<Promotable> {
  const found = new Map<string, readonly PromotableField[]>();
  const finished = runs.filter(({ state, isTableThere }) => state === 'finished' && isTableThere);
  for (const { runId } of finished.slice(0, maxRuns)) {
    const fields = await session.run((client) => suggest(client, runId));
    if (fields.length > 0) found.set(runId, fields);
  }
  return found;
}

async function suggest(client: pg.Client, runId: string): Promise<PromotableField[]> {
  await client.query('BEGIN READ ONLY');
  try {
    const run = await findRunById(client, runId);
    if (run?.isOwnTable !== true) return [];
    const { plan } = run.settings;
    // Tables of whole documents are laid out so on purpose.
    if (plan.extraColumn === null || plan.keepsWhole === true) return [];
    return rank(plan, await sampleExtra(client, plan));
  } catch (error) {
    // It took too long, or is not readable: a suggestion is not worth an error.
    if (error instanceof pg.DatabaseError) return [];
    throw error;
  } finally {
    await client.query('ROLLBACK');
  }
}

function rank(plan: Plan, { rows, values }: Awaited<ReturnType<typeof sampleExtra>>): PromotableField[] {
  return [...values]
    .filter(([field]) => findPlace(plan, field) === null && !field.includes('.'))
    .map(([field, texts]): PromotableField => {
      const seen = countSeen(plan.jsonStyle ?? 'relaxed', texts);
      return { field, count: texts.length, rows, types: Object.fromEntries(byFrequency(seen)) };
    })
    .filter(({ count }) => count >= rows * minShare)
    .sort((a, b) => b.count - a.count)
    .slice(0, maxFields);
}
