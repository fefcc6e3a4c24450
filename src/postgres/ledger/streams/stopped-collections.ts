/**
 * Collections of a stream that are not followed any more while the others are: one was dropped or renamed, or its copy or a merge
 * failed.
 */

import type pg from 'pg';
import type { Failure } from '../../../observe/outcome.ts';
import { resetSlots } from './slots.ts';
import type { StreamRow } from './stream.ts';

export interface StoppedCollection {
  readonly collection: string;
  /** For messages. */
  readonly reason: string;
}

/** A condition on `j`: a job of the same key as a stream `own`. */
const isOfItsKey =
  'j.source_db = own.source_db AND j.table_schema = own.table_schema AND j.selection = own.selection';

/** A condition on `j`: the job that copies for a stream `own`. */
const isItsJob = `${isOfItsKey} AND j.finished_at IS NULL`;

/** A query for those of a stream that failed. @param streamId as SQL */
function failedOf(streamId: string): string {
  return `SELECT c.collection, coalesce(c.detail, '') AS reason
            FROM mongo2pg.streams own JOIN mongo2pg.jobs j ON ${isItsJob}
            JOIN mongo2pg.job_collections c USING (job_id)
           WHERE own.stream_id = ${streamId} AND c.outcome = 'failed'`;
}

/** A query for those of a stream. @param streamId as SQL */
export function stoppedOf(streamId: string): string {
  return `SELECT collection, coalesce(f.reason, e.ended_by) AS reason
       FROM (SELECT collection, ended_by FROM mongo2pg.stream_collections
              WHERE stream_id = ${streamId} AND ended_by IS NOT NULL) e
       FULL JOIN (${failedOf(streamId)}) f USING (collection)`;
}

/** Those that failed, as a host has recorded it; not those of which the source reported an end. */
export async function listFailed(client: pg.Client, streamId: string): Promise<StoppedCollection[]> {
  const { rows } = await client.query<StoppedCollection>(`${failedOf('$1')} ORDER BY collection`, [streamId]);
  return rows;
}

export async function listStopped(client: pg.Client, streamId: string): Promise<StoppedCollection[]> {
  const { rows } = await client.query<StoppedCollection>(`${stoppedOf('$1')} ORDER BY collection`, [
    streamId,
  ]);
  return rows;
}

/** Records that a collection is not merged any more; its changes wait. Cleared by the next start. */
export async function markStopped(
  client: pg.Client,
  streamId: string,
  collection: string,
  failure: Failure,
): Promise<void> {
  await client.query(
    `UPDATE mongo2pg.job_collections c SET outcome = 'failed', detail = $3, failure = $4
       FROM mongo2pg.jobs j JOIN mongo2pg.streams own ON ${isItsJob}
      WHERE own.stream_id = $1 AND c.job_id = j.job_id AND c.collection = $2`,
    [streamId, collection, failure.message, JSON.stringify(failure)],
  );
}

/** The errors of those that failed before the cutover of a stream, if no other job has begun since. */
export async function listFailuresBefore(client: pg.Client, streamId: string): Promise<Failure[]> {
  const { rows } = await client.query<{ failure: Failure }>(
    `SELECT failure FROM mongo2pg.job_collections
      WHERE failure IS NOT NULL
        AND job_id = (SELECT max(j.job_id) FROM mongo2pg.jobs j JOIN mongo2pg.streams own ON ${isOfItsKey}
                       WHERE own.stream_id = $1)
      ORDER BY place`,
    [streamId],
  );
  return rows.map(({ failure }) => failure);
}

/**
 * Discards the changes of these collections, and accepts no more, since their copies cannot be resumed. To be called in a
 * transaction.
 */
export async function giveUpCollections(
  client: pg.Client,
  streamId: string,
  stopped: readonly StoppedCollection[],
): Promise<void> {
  await client.query(
    `WITH given AS (
       UPDATE mongo2pg.stream_collections c SET run_id = NULL, ended_time = s.token_time, ended_by = g.reason
         FROM mongo2pg.streams s, unnest($2::text[], $3::text[]) AS g (name, reason)
        WHERE s.stream_id = $1 AND c.stream_id = $1 AND c.collection = g.name AND c.ended_by IS NULL
        RETURNING c.stream_id, c.collection_no)
     DELETE FROM mongo2pg.changes c USING given
      WHERE c.stream_id = given.stream_id AND c.collection_no = given.collection_no`,
    [streamId, stopped.map(({ collection }) => collection), stopped.map(({ reason }) => reason)],
  );
}

/**
 * Resets collections that are copied from scratch, and those that were given up before their run began. To be called in a
 * transaction, by the process that has taken over the stream, before it reads changes: from its position on, they are recorded.
 */
export async function reopenCollections(
  client: pg.Client,
  { streamId }: Pick<StreamRow, 'streamId'>,
  fromScratch: readonly string[],
): Promise<void> {
  await resetSlots(client, streamId, fromScratch);
  await client.query(
    `DELETE FROM mongo2pg.changes t USING mongo2pg.stream_collections c
      WHERE c.stream_id = $1 AND c.collection = ANY ($2)
        AND t.stream_id = c.stream_id AND t.collection_no = c.collection_no`,
    [streamId, fromScratch],
  );
  await client.query(
    `UPDATE mongo2pg.stream_collections SET run_id = NULL, followed_at = NULL, ended_time = NULL, ended_by = NULL
      WHERE stream_id = $1 AND (run_id IS NULL OR collection = ANY ($2))`,
    [streamId, fromScratch],
  );
}
