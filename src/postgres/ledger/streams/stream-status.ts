/** Status of streams from the ledger: whether they are followed, and their lag. Reads only. */

import type pg from 'pg';
import type { ProofState } from '../../../observe/follow-events.ts';
import type { CollectionProof, StreamState, StreamStatus } from '../../../observe/status.ts';
import { differenceMs } from '../../../source/cluster-time.ts';
import { listProofs } from './proofs.ts';
import { describeUnfinished, listUnfinished } from '../promotions.ts';
import { isStreamLocked } from '../run-lock.ts';
import { stoppedOf } from './stopped-collections.ts';

interface Row extends Omit<StreamStatus, 'state' | 'lagMs' | 'oplogWindowMs' | 'proofs' | 'obstacles'> {
  readonly isEnded: boolean;
  readonly tokenTime: string;
  readonly serverTime: string;
  readonly oldestTime: string | null;
  readonly oldestChange: string | null;
  readonly uncopied: readonly string[];
  readonly stopped: readonly string[];
}

/** With a larger lag, writes would have to be stopped for long before a cutover. */
export const maxLagMs = 10_000;
/** A process that follows records its position about once a second. */
const maxSilenceMs = 30_000;

/** The latest first. */
export async function readStreamStatus(client: pg.Client, includesEnded: boolean): Promise<StreamStatus[]> {
  const { rows } = await client.query<Row & { readonly runIds: readonly string[] }>(
    `SELECT s.stream_id AS "streamId", source_db AS "sourceDb", selection, table_schema AS schema,
            opened_at AS "openedAt", read_at AS "readAt", cut_over_at AS "cutOverAt", ended_at IS NOT NULL AS "isEnded",
            token_time AS "tokenTime", server_time AS "serverTime", oldest_time AS "oldestTime", events,
            j.waiting, j.refused, j.oldest AS "oldestChange", k.inserted, k.updated, k.deleted,
            c.uncopied, p.reasons AS stopped, c.letters AS "deadLettered", c."runIds"
       FROM mongo2pg.streams s
       CROSS JOIN LATERAL (
         SELECT coalesce(array_agg(collection), '{}') AS names,
                coalesce(array_agg(collection || ' has stopped: ' || reason), '{}') AS reasons
           FROM (${stoppedOf('s.stream_id')}) t) p
       CROSS JOIN LATERAL (
         SELECT count(*)::int AS waiting, (count(*) FILTER (WHERE is_refused))::int AS refused, min(changed) AS oldest
           FROM mongo2pg.changes c JOIN mongo2pg.stream_collections k USING (stream_id, collection_no)
          WHERE c.stream_id = s.stream_id AND k.collection <> ALL (p.names)) j
       CROSS JOIN LATERAL (
         SELECT coalesce(sum(inserted), 0)::float8 AS inserted, coalesce(sum(updated), 0)::float8 AS updated,
                coalesce(sum(deleted), 0)::float8 AS deleted
           FROM mongo2pg.slots WHERE stream_id = s.stream_id) k
       CROSS JOIN LATERAL (
         SELECT coalesce(array_agg(collection) FILTER (WHERE r.finished_at IS NULL), '{}') AS uncopied,
                (SELECT count(*)::int FROM mongo2pg.dead_letters d WHERE d.run_id = ANY (array_agg(c.run_id))) AS letters,
                coalesce(array_agg(c.run_id::text) FILTER (WHERE c.run_id IS NOT NULL), '{}') AS "runIds"
           FROM mongo2pg.stream_collections c LEFT JOIN mongo2pg.runs r USING (run_id)
          WHERE c.stream_id = s.stream_id AND c.collection <> ALL (p.names)) c
      WHERE $1 OR ended_at IS NULL OR cut_over_at IS NOT NULL
      ORDER BY s.stream_id DESC`,
    [includesEnded],
  );
  const statuses: StreamStatus[] = [];
  for (const { runIds, ...row } of rows) {
    const isFollowed = !row.isEnded && (await isStreamLocked(client, row.streamId));
    const proofs = row.isEnded ? [] : await listProofs(client, row.streamId);
    const unfinished = await listUnfinished(client, row.isEnded ? [] : runIds);
    const status = describeRow(row, stateOf(row, isFollowed), proofs);
    const obstacles = [...status.obstacles, ...unfinished.map(describeUnfinished)];
    statuses.push({ ...status, obstacles, proofs });
  }
  return statuses;
}

function stateOf({ isEnded, cutOverAt }: Row, isFollowed: boolean): StreamState {
  if (cutOverAt !== null) return 'cut over';
  if (isEnded) return 'given up';
  return isFollowed ? 'following' : 'stopped';
}

function describeRow(
  row: Row,
  state: StreamState,
  proofs: readonly CollectionProof[],
): Omit<StreamStatus, 'proofs'> {
  const { tokenTime, serverTime, oldestTime, oldestChange, uncopied, stopped, isEnded, ...rest } = row;
  const since = oldestChange ?? tokenTime;
  const lagMs = isEnded ? 0 : differenceMs(BigInt(since), BigInt(serverTime));
  const silenceMs = Date.now() - row.readAt.getTime();
  return {
    ...rest,
    state,
    lagMs,
    oplogWindowMs: oldestTime === null ? null : differenceMs(BigInt(oldestTime), BigInt(serverTime)),
    obstacles: isEnded
      ? []
      : [
          ...(state === 'stopped' ? ['no process follows'] : []),
          ...(state === 'following' && silenceMs > maxSilenceMs
            ? [`nothing was read for ${Math.round(silenceMs / 1000)} s`]
            : []),
          ...(uncopied.length > 0 ? [`not copied yet: ${uncopied.join(', ')}`] : []),
          ...stopped,
          ...(lagMs > maxLagMs ? [`${Math.round(lagMs / 1000)} s behind`] : []),
          ...listDifferent(proofs),
          ...(row.deadLettered > 0 ? [`${row.deadLettered} dead letters`] : []),
        ],
  };
}

/** A reason against a cutover: documents that differ although their changes are merged. */
export function listDifferent(proofs: readonly (ProofState | null)[]): string[] {
  const different = proofs.reduce((sum, proof) => sum + (proof?.different ?? 0), 0);
  return different === 0 ? [] : [`${different} documents differ from their rows`];
}
