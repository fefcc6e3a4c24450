/** Status of runs from the ledger, during and after them. Reads only, and takes no locks that would slow a run. */

import type pg from 'pg';
import type { PhaseStatus, RunState, RunStatus } from '../../observe/status.ts';
import { countDeadLetters } from './dead-letters.ts';
import { isTableLocked } from './run-lock.ts';
import { listPromotions, type PromotionRow } from './promotions.ts';
import { readExtra } from './runs.ts';
import type { ExtraCount } from '../../transcode/extra-counter.ts';
import type { BsonTypeName } from '../../bson/types.ts';
import { qualifiedName } from '../connection/relations.ts';

/** Long enough to contain several batches. */
const recentSeconds = 10;

interface Row extends Omit<
  RunStatus,
  'table' | 'state' | 'loadedAt' | 'phases' | 'deadLetters' | 'extra' | 'promotions'
> {
  readonly schema: string;
  readonly tableName: string;
  readonly isReplaced: boolean;
  readonly recent: number | null;
  /** Times are text. */
  readonly phases: readonly (Pick<PhaseStatus, 'phase' | 'account'> & {
    readonly beganAt: string;
    readonly doneAt: string | null;
  })[];
  readonly unreadRanges: number;
}

/** The latest first. To be called in one transaction, so that all numbers come from one snapshot. */
export async function readRunStatus(client: pg.Client, includesReplaced: boolean): Promise<RunStatus[]> {
  const { rows } = await client.query<Row>(
    `SELECT r.run_id AS "runId", r.job_id AS "jobId", r.source, r.table_schema AS schema,
            r.table_name AS "tableName", r.started_at AS "startedAt", h.phases,
            r.finished_at AS "finishedAt", r.replaced_at IS NOT NULL AS "isReplaced",
            b.documents::float8, b.copied::float8, b.dead_lettered::float8 AS "deadLettered", b.dropped::float8, b.rows::float8,
            b.bytes::float8,
            (b.documents / nullif(extract(epoch FROM b.last - r.started_at) - p.seconds, 0))::float8 AS "documentsPerSecond",
            b.recent::float8 / least($2, greatest(1, extract(epoch FROM clock_timestamp() - coalesce(p.last, r.started_at))))::float8
              AS recent,
            t.oid IS NOT NULL AS "isTableThere",
            g.open AS "openRanges", g.unread AS "unreadRanges"
       FROM mongo2pg.runs r
       -- By the catalog: a name is not to be looked up in a schema that one may not use.
       LEFT JOIN pg_namespace n ON n.nspname = r.table_schema
       LEFT JOIN pg_class t ON t.oid = r.table_oid AND t.relname = r.table_name AND t.relnamespace = n.oid
       CROSS JOIN LATERAL (
         SELECT json_agg(json_build_object('phase', phase, 'beganAt', began_at, 'doneAt', done_at, 'account', account)
                         ORDER BY began_at) AS phases
           FROM mongo2pg.phases WHERE run_id = r.run_id) h
       CROSS JOIN LATERAL (
         SELECT coalesce(sum(documents), 0) AS documents, coalesce(sum(copied), 0) AS copied,
                coalesce(sum(dead_lettered), 0) AS dead_lettered, coalesce(sum(dropped), 0) AS dropped,
                coalesce(sum(copied + added_rows), 0) AS rows, coalesce(sum(bytes), 0) AS bytes,
                max(committed_at) AS last,
                sum(documents) FILTER (WHERE committed_at > clock_timestamp() - make_interval(secs => $2)) AS recent
           FROM mongo2pg.batches WHERE run_id = r.run_id) b
       CROSS JOIN LATERAL (
         SELECT count(*)::int AS open, (count(*) FILTER (WHERE read_at IS NULL))::int AS unread
           FROM mongo2pg.ranges WHERE run_id = r.run_id AND closed_at IS NULL) g
       -- A resuming process closes the ranges of the one before: between its last batch and that, the run was not active.
       CROSS JOIN LATERAL (
         SELECT coalesce(sum(extract(epoch FROM c.closed_at - coalesce(
                  (SELECT max(committed_at) FROM mongo2pg.batches WHERE run_id = r.run_id AND committed_at < c.closed_at),
                  r.started_at))) FILTER (WHERE c.closed_at < b.last), 0) AS seconds, max(c.closed_at) AS last
           FROM (SELECT DISTINCT closed_at FROM mongo2pg.ranges WHERE run_id = r.run_id AND closed_at IS NOT NULL) c) p
      WHERE $1 OR r.replaced_at IS NULL
      ORDER BY r.run_id DESC`,
    [includesReplaced, recentSeconds],
  );
  const statuses: RunStatus[] = [];
  for (const { schema, tableName, isReplaced, recent, unreadRanges, ...row } of rows) {
    const table = { schema, table: tableName };
    const isRunning = row.finishedAt === null && !isReplaced && (await isTableLocked(client, table));
    const phases = row.phases.map(readPhase);
    const loadedAt = phases.find(({ phase }) => phase === 'copy')?.doneAt ?? null;
    const state = isReplaced ? 'replaced' : stateOf({ ...row, loadedAt }, isRunning);
    // Ends of ranges that an earlier process recorded are read again.
    const openRanges = isRunning ? unreadRanges : row.openRanges;
    const promotions = await listPromotions(client, row.runId);
    statuses.push({
      ...row,
      phases,
      loadedAt,
      table: qualifiedName(table),
      state,
      documentsPerSecond: isRunning ? (recent ?? 0) : row.documentsPerSecond,
      openRanges: loadedAt === null ? openRanges : 0,
      deadLetters: await countDeadLetters(client, row.runId),
      extra: withoutPromoted(await readExtra(client, row.runId), promotions),
      promotions: promotions.map(({ field, column, type, promoted, isFinished }) => {
        return { field, column, type, promoted, isFinished };
      }),
    });
  }
  return statuses;
}

function withoutPromoted(extra: readonly ExtraCount[], promotions: readonly PromotionRow[]): ExtraCount[] {
  const promoted = new Set(promotions.map(({ field }) => field));
  const left = promotions.flatMap(({ field, left: counts }) =>
    Object.entries(counts).map(([type, count]): ExtraCount => {
      return { field, type: type as BsonTypeName, reason: 'does_not_fit', count };
    }),
  );
  return [...extra.filter(({ field }) => !promoted.has(field)), ...left];
}

function readPhase({ beganAt, doneAt, ...rest }: Row['phases'][number]): PhaseStatus {
  return { ...rest, beganAt: new Date(beganAt), doneAt: doneAt === null ? null : new Date(doneAt) };
}

function stateOf(
  { finishedAt, loadedAt }: Pick<RunStatus, 'finishedAt' | 'loadedAt'>,
  isRunning: boolean,
): RunState {
  if (finishedAt !== null) return 'finished';
  if (isRunning) return 'running';
  return loadedAt === null ? 'stopped' : 'loaded';
}
