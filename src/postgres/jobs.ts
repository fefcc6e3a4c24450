/** The ledger's rows about jobs: one for each start that copies several collections, finished when all of them are. */

import type pg from 'pg';
import { createLedger } from './ledger.ts';

export interface JobRequest {
  readonly sourceDb: string;
  readonly schema: string;
  /** The names and patterns of the collections, as given. */
  readonly selection: string;
  /** Begin a new one even where one is unfinished. */
  readonly isRestart: boolean;
}

/**
 * The unfinished job of the same selection, so that what it has finished is not done again; a new one where there is
 * none. To be called in a transaction.
 */
export async function openJob(client: pg.Client, request: JobRequest): Promise<string> {
  await createLedger(client);
  const key = [request.sourceDb, request.schema, request.selection];
  if (request.isRestart) {
    await client.query(
      `UPDATE mongo2pg.jobs SET finished_at = now()
        WHERE source_db = $1 AND table_schema = $2 AND selection = $3 AND finished_at IS NULL`,
      key,
    );
  }
  const { rows } = await client.query<{ job_id: string }>(
    `WITH unfinished AS (
       SELECT job_id FROM mongo2pg.jobs
        WHERE source_db = $1 AND table_schema = $2 AND selection = $3 AND finished_at IS NULL
        ORDER BY job_id DESC LIMIT 1),
     added AS (
       INSERT INTO mongo2pg.jobs (source_db, table_schema, selection)
       SELECT $1, $2, $3 WHERE NOT EXISTS (SELECT FROM unfinished) RETURNING job_id)
     SELECT job_id FROM unfinished UNION ALL SELECT job_id FROM added`,
    key,
  );
  const jobId = rows[0]?.job_id;
  if (jobId === undefined) throw new Error('INSERT … RETURNING gave no row');
  return jobId;
}

export async function finishJob(client: pg.Client, jobId: string): Promise<void> {
  await client.query('UPDATE mongo2pg.jobs SET finished_at = now() WHERE job_id = $1', [jobId]);
}

/**
 * Writes down what is to be copied, in this order. What an earlier process of the job has done of it stays; what it
 * failed at is open again.
 */
export async function planJob(
  client: pg.Client,
  jobId: string,
  collections: readonly string[],
): Promise<void> {
  await client.query(
    `DELETE FROM mongo2pg.job_collections WHERE job_id = $1 AND run_id IS NULL AND collection <> ALL ($2)`,
    [jobId, collections],
  );
  await client.query(
    `INSERT INTO mongo2pg.job_collections (job_id, collection, place)
     SELECT $1, collection, place FROM unnest($2::text[]) WITH ORDINALITY AS planned (collection, place)
     ON CONFLICT (job_id, collection) DO UPDATE SET place = excluded.place, outcome = NULL, detail = NULL`,
    [jobId, collections],
  );
}

/** Says which run copies a collection of the job. @param source `database.collection` */
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

/** @param detail the reason, for people */
export async function markCollection(
  client: pg.Client,
  jobId: string,
  collection: string,
  outcome: 'failed' | 'left_out',
  detail: string,
): Promise<void> {
  await client.query(
    'UPDATE mongo2pg.job_collections SET outcome = $3, detail = $4 WHERE job_id = $1 AND collection = $2',
    [jobId, collection, outcome, detail],
  );
}
