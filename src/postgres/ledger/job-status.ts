/** Status of jobs (starts that copy several collections) from the ledger. Reads only. */

import type pg from 'pg';
import type { JobState, JobStatus, RunStatus } from '../../observe/status.ts';
import { isLed } from './hosts/host-status.ts';
import { isJobLocked } from './run-lock.ts';

interface JobRow extends Omit<JobStatus, 'state' | 'collections'> {
  /** Hosts also verify what they have copied, when no lock is held any more. */
  readonly isLed: boolean;
  readonly collections: readonly {
    readonly collection: string;
    readonly runId: string | null;
    readonly outcome: 'failed' | 'left_out' | null;
    readonly detail: string | null;
  }[];
}

/**
 * The latest first; a finished job only if one of its runs is among `runs`, or with `includesReplaced`.
 * @param runs those that `readRunStatus` has returned in the same transaction
 */
export async function readJobStatus(
  client: pg.Client,
  runs: readonly RunStatus[],
  includesReplaced: boolean,
): Promise<JobStatus[]> {
  const { rows } = await client.query<JobRow>(
    `SELECT j.job_id AS "jobId", j.source_db AS "sourceDb", j.table_schema AS schema, j.selection,
            j.started_at AS "startedAt", j.finished_at AS "finishedAt", c.collections, ${isLed('j', 'copy')} AS "isLed"
       FROM mongo2pg.jobs j, LATERAL (
         SELECT coalesce(json_agg(json_build_object('collection', collection, 'runId', run_id::text,
                                                    'outcome', outcome, 'detail', detail) ORDER BY place), '[]') AS collections
           FROM mongo2pg.job_collections WHERE job_id = j.job_id) c
      ORDER BY j.job_id DESC`,
  );
  const stateByRun = new Map(runs.map(({ runId, state }) => [runId, state]));
  const jobs: JobStatus[] = [];
  for (const { collections, isLed: hasLeader, ...job } of rows) {
    const isKnown = collections.some(({ runId }) => runId !== null && stateByRun.has(runId));
    if (job.finishedAt !== null && !isKnown && !includesReplaced) continue;
    jobs.push({
      ...job,
      state: await readState(client, job, hasLeader),
      collections: collections.map(({ collection, runId, outcome, detail }) => ({
        collection,
        // A run that is not shown was replaced.
        state:
          (outcome === 'left_out' ? 'skipped' : outcome) ??
          (runId === null ? 'waiting' : (stateByRun.get(runId) ?? 'replaced')),
        runId,
        detail,
      })),
    });
  }
  return jobs;
}

async function readState(
  client: pg.Client,
  { jobId, finishedAt }: Pick<JobStatus, 'jobId' | 'finishedAt'>,
  hasLeader: boolean,
): Promise<JobState> {
  if (finishedAt !== null) return 'finished';
  return hasLeader || (await isJobLocked(client, jobId)) ? 'running' : 'stopped';
}
