/** Status of the hosts that copy or verify together, and of what they share, from the ledger. Reads only. */

import type pg from 'pg';
import type { HostStatus, SharedWorkStatus } from '../../../observe/status.ts';
import type { HostTask } from './hosts.ts';

/** Long enough to contain several batches. */
const recentSeconds = 10;

/** In the order in which they joined. @param includesAll whether to include hosts of migrations that no host works on */
export async function readHostStatus(client: pg.Client, includesAll: boolean): Promise<HostStatus[]> {
  const { rows } = await client.query<HostStatus>(
    `SELECT h.host_id AS "hostId", h.name, h.version, h.task, h.source_db AS "sourceDb", h.table_schema AS schema, h.selection,
            coalesce(h.end_reason, CASE WHEN h.is_lead THEN 'leads' ELSE 'takes part' END) AS state,
            h.joined_at AS "joinedAt", h.seen_at AS "seenAt", h.connections,
            (extract(epoch FROM clock_timestamp() - h.seen_at) * 1000)::float8 AS "silentMs",
            g.taken AS "rangesTaken", g.read AS "rangesRead", b.documents::float8,
            (b.recent / $2::float8)::float8 AS "documentsPerSecond",
            v.taken AS "rangesComparing", v.compared AS "rangesCompared", v.documents::float8 AS "documentsCompared",
            (v.documents / nullif(extract(epoch FROM v.last - greatest(v.began_at, h.joined_at)), 0))::float8 AS "comparedPerSecond",
            (SELECT count(*)::int FROM mongo2pg.host_builds WHERE host_id = h.host_id) AS builds,
            (SELECT count(*)::int FROM mongo2pg.slots WHERE host_id = h.host_id) AS slots
       FROM mongo2pg.hosts h
       CROSS JOIN LATERAL (
         SELECT (count(*) FILTER (WHERE read_at IS NULL))::int AS taken, (count(*) FILTER (WHERE read_at IS NOT NULL))::int AS read
           FROM mongo2pg.ranges WHERE host_id = h.host_id AND closed_at IS NULL) g
       CROSS JOIN LATERAL (
         SELECT coalesce(sum(b.documents), 0) AS documents,
                coalesce(sum(b.documents) FILTER (WHERE b.committed_at > clock_timestamp() - make_interval(secs => $2)), 0) AS recent
           FROM mongo2pg.ranges r JOIN mongo2pg.batches b USING (run_id, range_no) WHERE r.host_id = h.host_id) b
       CROSS JOIN LATERAL (
         SELECT (count(*) FILTER (WHERE compared_at IS NULL))::int AS taken,
                (count(*) FILTER (WHERE compared_at IS NOT NULL))::int AS compared,
                coalesce(sum((result->>'compared')::bigint), 0) AS documents, max(compared_at) AS last, min(began_at) AS began_at
           FROM mongo2pg.host_verification_ranges JOIN mongo2pg.host_verifications USING (verification_id)
          WHERE host_id = h.host_id) v
      WHERE $1 OR h.left_at IS NULL OR h.left_at > (
              SELECT min(o.joined_at) FROM mongo2pg.hosts o
               WHERE o.left_at IS NULL AND o.source_db = h.source_db AND o.table_schema = h.table_schema
                 AND o.selection = h.selection)
      ORDER BY h.host_id`,
    [includesAll, recentSeconds],
  );
  return rows;
}

/**
 * What hosts verify, and build, together.
 * @param includesAll whether to include what no host works on, as far as the ledger still has it
 */
export async function readSharedWork(client: pg.Client, includesAll: boolean): Promise<SharedWorkStatus[]> {
  const { rows } = await client.query<SharedWorkStatus>(
    `SELECT 'builds' AS kind, r.run_id AS "runId", r.source, count(*)::int AS total, count(b.done_at)::int AS done,
            NULL::int AS taken, NULL::float8 AS documents
       FROM mongo2pg.host_builds b JOIN mongo2pg.runs r USING (run_id) JOIN mongo2pg.jobs j USING (job_id)
      WHERE $1 OR (r.finished_at IS NULL AND ${isLed('j', 'copy')})
      GROUP BY r.run_id
     UNION ALL
     SELECT 'verification', r.run_id, r.source, count(*)::int, count(g.compared_at)::int,
            (count(g.host_id) FILTER (WHERE g.compared_at IS NULL))::int,
            coalesce(sum((g.result->>'compared')::bigint), 0)::float8
       FROM mongo2pg.host_verifications v JOIN mongo2pg.runs r USING (run_id)
       JOIN mongo2pg.host_verification_ranges g USING (verification_id)
      WHERE $1 OR ${isLed('v', null)}
      GROUP BY v.verification_id, r.run_id
      ORDER BY kind, "runId"`,
    [includesAll],
  );
  return rows;
}

/** A lease is 30 s: nobody fails over a host that is silent for so long, so that nobody is there. */
export const goneAfterMs = 60_000;

/** The condition that a host leads a copy of what a row is about, or any task. @param row its alias, with the three columns of a key */
export function isLed(row: string, task: HostTask | null): string {
  return `EXISTS (SELECT FROM mongo2pg.hosts h
    WHERE h.source_db = ${row}.source_db AND h.table_schema = ${row}.table_schema AND h.selection = ${row}.selection
      AND h.is_lead AND h.left_at IS NULL${task === null ? '' : ` AND h.task = '${task}'`} AND h.seen_at > clock_timestamp() - interval '${goneAfterMs} ms')`;
}
