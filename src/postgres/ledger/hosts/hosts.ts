/**
 * The ledger's rows of hosts: processes that copy together. One of them leads. All times are those of the database's clock.
 */

import type pg from 'pg';
import type { WireError } from '../../../common/errors.ts';
import { SupersededError } from '../leadership.ts';
import { lockUntilEnd } from '../run-lock.ts';
import type { RunSettings } from '../runs.ts';

/** Identifies a migration: hosts with the same key copy together. */
export interface HostsKey {
  readonly sourceDb: string;
  readonly schema: string;
  /** The names and patterns of the collections, as given. */
  readonly selection: string;
}

/** What hosts do together: they copy, and may verify afterwards; or they only verify. */
export type HostTask = 'copy' | 'verify';

/** How a host describes itself. */
export interface HostIdentity {
  readonly task: HostTask;
  /** Its host name and process id, for messages. */
  readonly name: string;
  readonly version: string;
  /** Settings that must be the same on all hosts, by name. */
  readonly settings: Readonly<Record<string, string>>;
}

/**
 * `finished`: everything is copied, or compared. `left`: it was interrupted, or lost a server; other hosts continue. `failed`: the leader met an error
 * that other hosts would meet too. `dead`: it sent no heartbeat for too long.
 */
export type HostEnd = 'finished' | 'left' | 'failed' | 'dead';

/** No heartbeat for longer than the first parameter, in seconds. */
const isSilent = 'seen_at < clock_timestamp() - make_interval(secs => $1)';

/** A condition on rows of a key, whose values are the first parameters. */
export const ofKey = 'source_db = $1 AND table_schema = $2 AND selection = $3';

export function valuesOf({ sourceDb, schema, selection }: HostsKey): string[] {
  return [sourceDb, schema, selection];
}

/** Selects a host if it leads. @param hostId the parameter with its id, such as `$1` */
function selectLeader(hostId: string): string {
  return `SELECT FROM mongo2pg.hosts WHERE host_id = ${hostId} AND is_lead AND left_at IS NULL`;
}

/** The condition that a host leads, for writes that a former leader may try. @param hostId see `selectLeader` */
export function thatLeads(hostId: string): string {
  return `EXISTS (${selectLeader(hostId)})`;
}

export interface JoinedHost {
  readonly hostId: string;
  readonly joinedAt: Date;
}

export async function insertHost(client: pg.Client, key: HostsKey, host: HostIdentity): Promise<JoinedHost> {
  const { rows } = await client.query<JoinedHost>(
    `INSERT INTO mongo2pg.hosts (source_db, table_schema, selection, name, version, settings, task)
     VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING host_id AS "hostId", joined_at AS "joinedAt"`,
    [...valuesOf(key), host.name, host.version, JSON.stringify(host.settings), host.task],
  );
  const row = rows[0];
  if (row === undefined) throw new Error('INSERT … RETURNING gave no row');
  return row;
}

/** What a host learns from the ledger with each heartbeat. */
export interface OwnHost {
  readonly isLead: boolean;
  /** How many connections its workers may have; null if not assigned yet. */
  readonly connections: number | null;
}

/** Records a heartbeat. @returns null if the host was declared dead */
export async function recordHeartbeat(client: pg.Client, hostId: string): Promise<OwnHost | null> {
  const { rows } = await client.query<OwnHost>(
    `WITH unsynced AS (SELECT set_config('synchronous_commit', 'off', true))
     UPDATE mongo2pg.hosts SET seen_at = clock_timestamp() FROM unsynced WHERE host_id = $1 AND left_at IS NULL
     RETURNING is_lead AS "isLead", connections`,
    [hostId],
  );
  return rows[0] ?? null;
}

/** Until the end of the transaction, no other host joins or becomes the leader: two at once would both see no other. */
export async function lockHosts(client: pg.Client, key: HostsKey): Promise<void> {
  await lockUntilEnd(client, `hosts ${JSON.stringify(valuesOf(key))}`);
}

/** Makes a host the leader if no other host of its key leads. To be called in a transaction. @returns whether it leads now */
export async function takeLeadership(client: pg.Client, key: HostsKey, hostId: string): Promise<boolean> {
  await lockHosts(client, key);
  const { rowCount } = await client.query(
    `UPDATE mongo2pg.hosts SET is_lead = true
      WHERE host_id = $4 AND left_at IS NULL
        AND NOT EXISTS (SELECT FROM mongo2pg.hosts WHERE ${ofKey} AND is_lead AND left_at IS NULL AND host_id <> $4)`,
    [...valuesOf(key), hostId],
  );
  return rowCount === 1;
}

/** To be called in a transaction, until the end of which the host is not declared dead. @throws SupersededError */
export async function requireLeading(client: pg.Client, hostId: string): Promise<void> {
  const { rowCount } = await client.query(`${selectLeader('$1')} FOR KEY SHARE`, [hostId]);
  if (rowCount === 0) throw new SupersededError();
}

export interface HostRow extends HostIdentity {
  readonly hostId: string;
  readonly isLead: boolean;
}

/** The host that leads, or led last. */
export interface LastLeader extends HostRow {
  /** Null while it leads. */
  readonly endReason: HostEnd | null;
  readonly endDetail: WireError | null;
  readonly joinedAt: Date;
  readonly leftAt: Date | null;
}

/** Not finished and not failed. */
export function isUnfinished({ endReason }: LastLeader): boolean {
  return endReason === null || endReason === 'left' || endReason === 'dead';
}

const columns = `host_id AS "hostId", task, name, version, settings, is_lead AS "isLead"`;

/** The leader of a task, or its last one. */
export async function readLastLeader(
  client: pg.Client,
  key: HostsKey,
  task: HostTask,
): Promise<LastLeader | null> {
  const [leader] = await queryLeaders(client, key, 'task = $4', [task]);
  return leader ?? null;
}

/** The leader of what hosts do with the key, or did last. A verification that is over says nothing of the copy before it. */
export async function readLastLeaderOfAny(client: pg.Client, key: HostsKey): Promise<LastLeader | null> {
  const isOver = `coalesce(end_reason IN ('finished', 'failed'), false)`;
  const [leader] = await queryLeaders(client, key, `(task = 'copy' OR NOT ${isOver})`);
  return leader ?? null;
}

async function queryLeaders(
  client: pg.Client,
  key: HostsKey,
  condition: string,
  values: readonly string[] = [],
): Promise<LastLeader[]> {
  const { rows } = await client.query<LastLeader>(
    `SELECT ${columns}, end_reason AS "endReason", end_detail AS "endDetail", joined_at AS "joinedAt", left_at AS "leftAt"
       FROM mongo2pg.hosts WHERE ${ofKey} AND is_lead AND ${condition}
      ORDER BY coalesce(left_at, 'infinity') DESC LIMIT 1`,
    [...valuesOf(key), ...values],
  );
  return rows;
}

/**
 * Hosts that have not left, of any key, in the order in which they joined.
 * @param deadAfterMs excludes hosts that sent no heartbeat for so long
 */
export async function listLiveHosts(
  client: pg.Client,
  deadAfterMs = Infinity,
): Promise<(HostRow & HostsKey)[]> {
  const { rows } = await client.query<HostRow & HostsKey>(
    `SELECT ${columns}, source_db AS "sourceDb", table_schema AS schema, selection
       FROM mongo2pg.hosts
      WHERE left_at IS NULL AND ($1::float8 IS NULL OR NOT ${isSilent})
      ORDER BY host_id`,
    [Number.isFinite(deadAfterMs) ? deadAfterMs / 1000 : null],
  );
  return rows;
}

/** Called by `endHost`, which first releases what the host has. */
export async function markEnded(
  client: pg.Client,
  hostId: string,
  reason: HostEnd,
  detail: WireError | null,
): Promise<void> {
  await client.query(
    `UPDATE mongo2pg.hosts SET left_at = clock_timestamp(), end_reason = $2, end_detail = $3
      WHERE host_id = $1 AND left_at IS NULL`,
    [hostId, reason, detail === null ? null : JSON.stringify(detail)],
  );
}

/** Marks the job of the key as finished if the host leads. */
export async function finishJobOfHosts(client: pg.Client, key: HostsKey, hostId: string): Promise<void> {
  await client.query(
    `UPDATE mongo2pg.jobs SET finished_at = now()
      WHERE ${ofKey} AND finished_at IS NULL AND ${thatLeads('$4')}`,
    [...valuesOf(key), hostId],
  );
}

/** Hosts that sent no heartbeat for too long, and are not marked as ended. */
export async function listSilentHosts(client: pg.Client, deadAfterMs: number): Promise<HostRow[]> {
  const { rows } = await client.query<HostRow>(
    `SELECT ${columns} FROM mongo2pg.hosts
      WHERE left_at IS NULL AND ${isSilent} ORDER BY host_id`,
    [deadAfterMs / 1000],
  );
  return rows;
}

/**
 * Locks a host until the end of the transaction. Waits for another transaction that has locked it.
 * @returns false if it has sent a heartbeat since, or is marked as ended already
 */
export async function lockSilentHost(
  client: pg.Client,
  hostId: string,
  deadAfterMs: number,
): Promise<boolean> {
  const { rowCount } = await client.query(
    `SELECT FROM mongo2pg.hosts WHERE host_id = $2 AND left_at IS NULL AND ${isSilent} FOR UPDATE`,
    [deadAfterMs / 1000, hostId],
  );
  return rowCount === 1;
}

/** Sets how many connections the workers of each host of the key may have. */
export async function assignConnections(
  client: pg.Client,
  key: HostsKey,
  connections: number,
): Promise<void> {
  await client.query(
    `UPDATE mongo2pg.hosts SET connections = $4
      WHERE ${ofKey} AND left_at IS NULL AND connections IS DISTINCT FROM $4`,
    [...valuesOf(key), connections],
  );
}

export interface SharedRun {
  readonly runId: string;
  readonly collection: string;
  readonly settings: RunSettings;
}

/** A run of the key's job that has a waiting range. Those of collections that failed wait for the next start. */
export async function findSharedRun(client: pg.Client, key: HostsKey): Promise<SharedRun | null> {
  const { rows } = await client.query<SharedRun>(
    `SELECT r.run_id AS "runId", c.collection, r.settings
       FROM mongo2pg.jobs j JOIN mongo2pg.job_collections c USING (job_id) JOIN mongo2pg.runs r ON r.run_id = c.run_id
      WHERE j.source_db = $1 AND j.table_schema = $2 AND j.selection = $3 AND j.finished_at IS NULL AND r.finished_at IS NULL AND r.replaced_at IS NULL
        AND c.outcome IS NULL
        AND EXISTS (SELECT FROM mongo2pg.ranges g WHERE g.run_id = r.run_id AND g.closed_at IS NULL
                                                    AND g.read_at IS NULL AND g.host_id IS NULL)
      ORDER BY c.place LIMIT 1`,
    valuesOf(key),
  );
  return rows[0] ?? null;
}

/** Whether the leader has given up a run: its collection failed, or the leader itself. */
export async function isGivenUp(client: pg.Client, key: HostsKey, runId: string): Promise<boolean> {
  const { rowCount } = await client.query(
    'SELECT FROM mongo2pg.job_collections WHERE run_id = $1 AND outcome IS NOT NULL',
    [runId],
  );
  if ((rowCount ?? 0) > 0) return true;
  const leader = await readLastLeader(client, key, 'copy');
  return leader?.endReason === 'failed';
}
