/** What the ledger tells of streams: whether they are followed, and how far behind. Reads only. */

import type pg from 'pg';
import { differenceMs } from '../../source/cluster-time.ts';
import { isStreamLocked } from './run-lock.ts';

/** `following`: a process is at it; `stopped`: none is, and the same command goes on; `cut over`; `given up` for a later one. */
export type StreamState = 'following' | 'stopped' | 'cut over' | 'given up';

export interface StreamStatus {
  readonly streamId: string;
  readonly sourceDb: string;
  readonly selection: string;
  readonly schema: string;
  readonly state: StreamState;
  readonly openedAt: Date;
  /** When the position was kept last. */
  readonly readAt: Date;
  readonly cutOverAt: Date | null;
  /** How far the rows are behind the server, as it was when it was read last. */
  readonly lagMs: number;
  readonly waiting: number;
  readonly refused: number;
  readonly deadLettered: number;
  readonly events: Readonly<Record<string, number>>;
  /** Documents merged, by what became of their rows. */
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
  /** How long the server keeps its history; null where it does not tell. */
  readonly oplogWindowMs: number | null;
  /** Why one cannot cut over, for people; empty when one can. */
  readonly obstacles: readonly string[];
}

interface Row extends Omit<StreamStatus, 'state' | 'lagMs' | 'oplogWindowMs' | 'obstacles'> {
  readonly isEnded: boolean;
  readonly tokenTime: string;
  readonly serverTime: string;
  readonly oldestTime: string | null;
  readonly oldestChange: string | null;
  readonly uncopied: readonly string[];
  readonly ended: readonly string[];
}

/** With more, writes would be stopped for longer than anybody expects. */
export const maxLagMs = 10_000;
/** A process that follows keeps its position about once a second. */
const maxSilenceMs = 30_000;

/** The latest first. */
export async function readStreamStatus(client: pg.Client, includesEnded: boolean): Promise<StreamStatus[]> {
  const { rows } = await client.query<Row>(
    `SELECT s.stream_id AS "streamId", source_db AS "sourceDb", selection, table_schema AS schema,
            opened_at AS "openedAt", read_at AS "readAt", cut_over_at AS "cutOverAt", ended_at IS NOT NULL AS "isEnded",
            token_time AS "tokenTime", server_time AS "serverTime", oldest_time AS "oldestTime", events,
            j.waiting, j.refused, j.oldest AS "oldestChange", k.inserted, k.updated, k.deleted,
            c.uncopied, c.ended, c.letters AS "deadLettered"
       FROM mongo2pg.streams s
       CROSS JOIN LATERAL (
         SELECT count(*)::int AS waiting, (count(*) FILTER (WHERE is_refused))::int AS refused, min(changed) AS oldest
           FROM mongo2pg.changes WHERE stream_id = s.stream_id) j
       CROSS JOIN LATERAL (
         SELECT coalesce(sum(inserted), 0)::float8 AS inserted, coalesce(sum(updated), 0)::float8 AS updated,
                coalesce(sum(deleted), 0)::float8 AS deleted
           FROM mongo2pg.slots WHERE stream_id = s.stream_id) k
       CROSS JOIN LATERAL (
         SELECT coalesce(array_agg(collection) FILTER (WHERE r.finished_at IS NULL), '{}') AS uncopied,
                coalesce(array_agg(ended_by) FILTER (WHERE ended_by IS NOT NULL), '{}') AS ended,
                (SELECT count(*)::int FROM mongo2pg.dead_letters d WHERE d.run_id = ANY (array_agg(c.run_id))) AS letters
           FROM mongo2pg.stream_collections c LEFT JOIN mongo2pg.runs r USING (run_id)
          WHERE c.stream_id = s.stream_id) c
      WHERE $1 OR ended_at IS NULL OR cut_over_at IS NOT NULL
      ORDER BY s.stream_id DESC`,
    [includesEnded],
  );
  const statuses: StreamStatus[] = [];
  for (const row of rows) {
    const isFollowed = !row.isEnded && (await isStreamLocked(client, row.streamId));
    statuses.push(describeRow(row, stateOf(row, isFollowed)));
  }
  return statuses;
}

function stateOf({ isEnded, cutOverAt }: Row, isFollowed: boolean): StreamState {
  if (cutOverAt !== null) return 'cut over';
  if (isEnded) return 'given up';
  return isFollowed ? 'following' : 'stopped';
}

function describeRow(row: Row, state: StreamState): StreamStatus {
  const { tokenTime, serverTime, oldestTime, oldestChange, uncopied, ended, isEnded, ...rest } = row;
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
          ...ended,
          ...(lagMs > maxLagMs ? [`${Math.round(lagMs / 1000)} s behind`] : []),
          ...(row.deadLettered > 0 ? [`${row.deadLettered} dead letters`] : []),
        ],
  };
}
