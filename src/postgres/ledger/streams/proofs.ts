/** Which rows are known to equal their documents, from the ledger. Reads only. */

import type pg from 'pg';
import type { ProofState } from '../../../observe/follow-events.ts';
import type { CollectionProof } from '../../../observe/status.ts';
import type { FollowedCollection } from '../../worker-settings.ts';

/** One collection. */
export async function readProof(
  client: pg.Client,
  { streamId, collectionNo }: Pick<FollowedCollection, 'streamId' | 'collectionNo'>,
): Promise<{ readonly proof: ProofState | null; readonly merges: number }> {
  const { rows } = await client.query<{ merges: number }>(
    'SELECT count(*)::int AS merges FROM mongo2pg.merges WHERE stream_id = $1 AND collection_no = $2',
    [streamId, collectionNo],
  );
  const [found] = await listProofs(client, streamId, collectionNo);
  return { proof: found ?? null, merges: rows[0]?.merges ?? 0 };
}

/** All collections of a stream that were compared while they were followed. */
export async function listProofs(
  client: pg.Client,
  streamId: string,
  collectionNo: number | null = null,
): Promise<CollectionProof[]> {
  const { rows } = await client.query<
    Omit<ProofState, 'verifiedAt'> & { collection: string; finishedAt: Date | null }
  >(
    `SELECT c.collection, v.finished_at AS "finishedAt", v.compared::float8 AS compared,
            u.different, (u.unverified + n.noted)::float8 AS unverified
       FROM mongo2pg.verifications v JOIN mongo2pg.stream_collections c USING (stream_id, collection_no),
         LATERAL (SELECT count(*) AS unverified, (count(*) FILTER (WHERE is_different))::int AS different
                    FROM mongo2pg.unverified u
                   WHERE u.stream_id = v.stream_id AND u.collection_no = v.collection_no) u,
         LATERAL (SELECT coalesce(sum(documents), 0) AS noted FROM mongo2pg.notes n
                   WHERE n.stream_id = v.stream_id AND n.collection_no = v.collection_no) n
      WHERE v.stream_id = $1 AND ($2::int IS NULL OR v.collection_no = $2) AND c.ended_by IS NULL ORDER BY c.collection`,
    [streamId, collectionNo],
  );
  return rows.map(({ finishedAt, ...row }) => ({ ...row, verifiedAt: finishedAt?.toISOString() ?? null }));
}
