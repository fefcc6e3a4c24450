/**
 * The ledger's rows of keys and indexes that several hosts build. A host locks a row, builds, and records the result, all in one
 * transaction: if the host dies, or its session is ended, PostgreSQL undoes all of it, and another host finds the row free.
 */

import type pg from 'pg';
import { commitSynchronously } from '../../connection/synchronous-commit.ts';
import { requireMember } from './host-ranges.ts';
import type { HostWork } from './host-work.ts';
import { requireLeading, thatLeads, type HostsKey } from './hosts.ts';

/** What is built is the caller's. */
export interface BuildItem<Build> {
  /** Distinct within the run. */
  readonly item: string;
  readonly build: Build;
}

export interface BuiltItem<Result> {
  readonly item: string;
  /** Null if it is not built yet. */
  readonly result: Result | null;
}

/**
 * Offers builds to all hosts. Those that were offered before and are not built are kept. What was built before is offered again, since
 * it may be gone by now; if not, it is found. To be called in a transaction.
 * @throws SupersededError if the host does not lead
 */
export async function offerBuilds<Build>(
  client: pg.Client,
  { hostId }: Pick<HostWork, 'hostId'>,
  runId: string,
  builds: readonly BuildItem<Build>[],
): Promise<void> {
  await commitSynchronously(client);
  await requireLeading(client, hostId);
  await client.query('DELETE FROM mongo2pg.host_builds WHERE run_id = $1 AND done_at IS NOT NULL', [runId]);
  await client.query(
    `INSERT INTO mongo2pg.host_builds (run_id, item, build, place)
     SELECT $1, * FROM unnest($2::text[], $3::json[]) WITH ORDINALITY ON CONFLICT DO NOTHING`,
    [runId, builds.map(({ item }) => item), builds.map(({ build }) => JSON.stringify(build))],
  );
}

/** Forgets builds that no host has begun, after an error. Does nothing if the host does not lead any more. */
export async function withdrawBuilds(
  client: pg.Client,
  { hostId }: Pick<HostWork, 'hostId'>,
  runId: string,
): Promise<void> {
  await client.query(
    `DELETE FROM mongo2pg.host_builds b
      WHERE run_id = $1 AND ${thatLeads('$2')}
        AND item IN (SELECT item FROM mongo2pg.host_builds WHERE run_id = $1 FOR UPDATE SKIP LOCKED)`,
    [runId, hostId],
  );
}

/**
 * Takes a build that no other host has, until the end of the transaction.
 * @returns null if there is none
 * @throws SupersededError if the host was declared dead
 */
export async function takeBuild<Build>(
  client: pg.Client,
  { hostId }: Pick<HostWork, 'hostId'>,
  runId: string,
): Promise<BuildItem<Build> | null> {
  await commitSynchronously(client);
  await requireMember(client, hostId);
  const { rows } = await client.query<BuildItem<Build>>(
    `SELECT item, build FROM mongo2pg.host_builds WHERE run_id = $1 AND done_at IS NULL
      ORDER BY place LIMIT 1 FOR UPDATE SKIP LOCKED`,
    [runId],
  );
  return rows[0] ?? null;
}

/** Records the result. To be called in the transaction that has taken it. */
export async function finishBuild(
  client: pg.Client,
  { hostId }: Pick<HostWork, 'hostId'>,
  runId: string,
  item: string,
  result: object,
): Promise<void> {
  await client.query(
    `UPDATE mongo2pg.host_builds SET host_id = $3, done_at = clock_timestamp(), result = $4
      WHERE run_id = $1 AND item = $2`,
    [runId, item, hostId, JSON.stringify(result)],
  );
}

/** Whether there is a build that no host has. */
export async function hasFreeBuild(client: pg.Client, runId: string): Promise<boolean> {
  const { rowCount } = await client.query(
    `SELECT FROM mongo2pg.host_builds WHERE run_id = $1 AND done_at IS NULL LIMIT 1 FOR UPDATE SKIP LOCKED`,
    [runId],
  );
  return (rowCount ?? 0) > 0;
}

export async function readBuilds<Result>(client: pg.Client, runId: string): Promise<BuiltItem<Result>[]> {
  const { rows } = await client.query<BuiltItem<Result>>(
    'SELECT item, result FROM mongo2pg.host_builds WHERE run_id = $1 ORDER BY place',
    [runId],
  );
  return rows;
}

export interface RunToBuild {
  readonly runId: string;
  /** `database.collection`. */
  readonly source: string;
}

/** A run of the key's job that has something to build which no host has. */
export async function findRunToBuild(client: pg.Client, key: HostsKey): Promise<RunToBuild | null> {
  const { rows } = await client.query<RunToBuild>(
    `SELECT r.run_id AS "runId", r.source
       FROM mongo2pg.jobs j JOIN mongo2pg.job_collections c USING (job_id) JOIN mongo2pg.runs r ON r.run_id = c.run_id
      WHERE j.source_db = $1 AND j.table_schema = $2 AND j.selection = $3 AND j.finished_at IS NULL AND r.finished_at IS NULL
        AND r.replaced_at IS NULL AND c.outcome IS NULL
        AND EXISTS (SELECT FROM mongo2pg.host_builds b WHERE b.run_id = r.run_id AND b.done_at IS NULL)
      ORDER BY c.place LIMIT 1`,
    [key.sourceDb, key.schema, key.selection],
  );
  const run = rows[0];
  return run !== undefined && (await hasFreeBuild(client, run.runId)) ? run : null;
}
