/** Status of the hosts that copy together, from the ledger. Reads only. */

import type pg from 'pg';
import type { HostStatus } from '../../../observe/status.ts';

/** Long enough to contain several batches. */
const recentSeconds = 10;

/** In the order in which they joined. @param includesAll whether to include hosts of migrations that no host works on */
export async function readHostStatus(client: pg.Client, includesAll: boolean): Promise<HostStatus[]> {
  const { rows } = await client.query<HostStatus>(
    `SELECT h.host_id AS "hostId", h.name, h.version, h.source_db AS "sourceDb", h.table_schema AS schema, h.selection,
            coalesce(h.end_reason, CASE WHEN h.is_lead THEN 'leads' ELSE 'takes part' END) AS state,
            h.joined_at AS "joinedAt", h.seen_at AS "seenAt", h.connections,
            (extract(epoch FROM clock_timestamp() - h.seen_at) * 1000)::float8 AS "silentMs",
            g.taken AS "rangesTaken", g.read AS "rangesRead", b.documents::float8,
            (b.recent / $2::float8)::float8 AS "documentsPerSecond"
       FROM mongo2pg.hosts h
       CROSS JOIN LATERAL (
         SELECT (count(*) FILTER (WHERE read_at IS NULL))::int AS taken, (count(*) FILTER (WHERE read_at IS NOT NULL))::int AS read
           FROM mongo2pg.ranges WHERE host_id = h.host_id AND closed_at IS NULL) g
       CROSS JOIN LATERAL (
         SELECT coalesce(sum(b.documents), 0) AS documents,
                coalesce(sum(b.documents) FILTER (WHERE b.committed_at > clock_timestamp() - make_interval(secs => $2)), 0) AS recent
           FROM mongo2pg.ranges r JOIN mongo2pg.batches b USING (run_id, range_no) WHERE r.host_id = h.host_id) b
      WHERE $1 OR h.left_at IS NULL OR h.left_at > (
              SELECT min(o.joined_at) FROM mongo2pg.hosts o
               WHERE o.left_at IS NULL AND o.source_db = h.source_db AND o.table_schema = h.table_schema
                 AND o.selection = h.selection)
      ORDER BY h.host_id`,
    [includesAll, recentSeconds],
  );
  return rows;
}
