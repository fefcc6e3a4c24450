/** The ledger's rows of jobs. A job is a start that copies several collections; it is finished when all of them are. */

import type pg from 'pg';
import type { Failure } from '../../observe/outcome.ts';
import { createLedger, hasLedger } from './ledger.ts';

export interface JobRequest {
  readonly sourceDb: string;
  readonly schema: string;
  /** The names and patterns of the collections, as given. */
  readonly selection: string;
  /** Begin a new job even if one is unfinished. */
  readonly isRestart: boolean;
}

/**
 * Resumes the unfinished job of the same selection, so that finished collections are not copied again; else creates a job. To be
 * called in a transaction.
 */
export async function openJob(client: pg.Client, request: JobRequest): Promise<string> {
  // Also prevents another start from creating one at the same time.
  await createLedger(client);
  const unfinished = await findJob(client, request);
  if (unfinished !== null) return unfinished;
  const key = keyOf(request);
  if (request.isRestart) {
    await client.query(
      `UPDATE mongo2pg.jobs SET finished_at = now()
        WHERE source_db = $1 AND table_schema = $2 AND selection = $3 AND finished_at IS NULL`,
      key,
    );
  }
  const { rows } = await client.query<{ job_id: string }>(
    'INSERT INTO mongo2pg.jobs (source_db, table_schema, selection) VALUES ($1, $2, $3) RETURNING job_id',
    key,
  );
  const jobId = rows[0]?.job_id;
  if (jobId === undefined) throw new Error('INSERT … RETURNING gave no row');
  return jobId;
}

/** The job that a start would resume; null if it would begin a new one. */
export async function findJob(client: pg.Client, request: JobRequest): Promise<string | null> {
  if (request.isRestart || !(await hasLedger(client))) return null;
  const { rows } = await client.query<{ job_id: string }>(
    `SELECT job_id FROM mongo2pg.jobs
      WHERE source_db = $1 AND table_schema = $2 AND selection = $3 AND finished_at IS NULL
      ORDER BY job_id DESC LIMIT 1`,
    keyOf(request),
  );
  return rows[0]?.job_id ?? null;
}

function keyOf({ sourceDb, schema, selection }: JobRequest): string[] {
  return [sourceDb, schema, selection];
}

export async function finishJob(client: pg.Client, jobId: string): Promise<void> {
  await client.query('UPDATE mongo2pg.jobs SET finished_at = now() WHERE job_id = $1', [jobId]);
}

/** The collections that the job has begun to copy and has not finished, in their order. */
export async function listBegun(client: pg.Client, jobId: string): Promise<string[]> {
  const { rows } = await client.query<{ collection: string }>(
    `SELECT c.collection FROM mongo2pg.job_collections c JOIN mongo2pg.runs r USING (run_id)
      WHERE c.job_id = $1 AND r.finished_at IS NULL AND r.replaced_at IS NULL ORDER BY c.place`,
    [jobId],
  );
  return rows.map(({ collection }) => collection);
}

/**
 * Records the collections to copy, in this order. Those that an earlier process of the job finished stay finished; those that
 * failed are reopened.
 * @returns collections that an earlier process had planned and not begun, and that are no longer selected
 */
export async function planJob(
  client: pg.Client,
  jobId: string,
  collections: readonly string[],
): Promise<string[]> {
  const { rows } = await client.query<{ collection: string }>(
    `UPDATE mongo2pg.job_collections SET outcome = 'left_out', detail = 'MongoDB does not have it any more'
      WHERE job_id = $1 AND run_id IS NULL AND outcome IS DISTINCT FROM 'left_out' AND collection <> ALL ($2)
      RETURNING collection`,
    [jobId, collections],
  );
  await client.query(
    `INSERT INTO mongo2pg.job_collections (job_id, collection, place)
     SELECT $1, collection, place FROM unnest($2::text[]) WITH ORDINALITY AS planned (collection, place)
     ON CONFLICT (job_id, collection) DO UPDATE SET place = excluded.place, outcome = NULL, detail = NULL, failure = NULL`,
    [jobId, collections],
  );
  return rows.map(({ collection }) => collection);
}

/** Records which run copies a collection of the job. @param source `database.collection` */
export async function assignRun(
  client: pg.Client,
  jobId: string,
  source: string,
  runId: string,
): Promise<void> {
  await client.query(
    `UPDATE mongo2pg.job_collections c SET run_id = $3
       FROM mongo2pg.jobs j WHERE j.job_id = c.job_id AND c.job_id = $1 AND j.source_db || '.' || c.collection = $2`,
    [jobId, source, runId],
  );
}

/** @param reason for messages */
export async function markLeftOut(
  client: pg.Client,
  jobId: string,
  collection: string,
  reason: string,
): Promise<void> {
  await client.query(
    `UPDATE mongo2pg.job_collections SET outcome = 'left_out', detail = $3 WHERE job_id = $1 AND collection = $2`,
    [jobId, collection, reason],
  );
}

/** The next start copies the collection. */
export async function markFailed(
  client: pg.Client,
  jobId: string,
  collection: string,
  failure: Failure,
): Promise<void> {
  await client.query(
    `UPDATE mongo2pg.job_collections SET outcome = 'failed', detail = $3, failure = $4 WHERE job_id = $1 AND collection = $2`,
    [jobId, collection, failure.message, JSON.stringify(failure)],
  );
}
