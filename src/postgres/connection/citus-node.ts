/** A worker node of Citus through which rows are loaded. It must be a node of the coordinator's cluster, and reach the coordinator. */

import { randomInt } from 'node:crypto';
import type pg from 'pg';
import { TargetError } from '../../common/errors.ts';
import type { Url } from '../../config/secret-url.ts';
import { askNodes, readCitus } from './citus.ts';
import { describePostgres } from './connection.ts';
import { inTransaction, withSession, type Session, type SessionOptions } from './session.ts';

/**
 * Checks it by locks that one server shows to the other: the same ids, names and addresses may be those of a cluster that was restored from
 * the same backup. Writes nothing.
 * @param coordinator a session of POSTGRES_URL
 * @param options for a session with the node
 * @throws TargetError with a fix
 */
export async function requireCitusNode(coordinator: Session, options: SessionOptions): Promise<void> {
  try {
    await withSession(options, async (node) => {
      await coordinator.run((client) => requireListed(client));
      const key = randomInt(1, 2 ** 31);
      const hasExtension = await node.run(async (client) => (await readCitus(client)) !== null);
      if (!hasExtension) throw refuse(options.url, 'its database has no extension citus');
      const found = await node.run((client) =>
        inTransaction(client, async () => {
          await client.query('SELECT pg_advisory_xact_lock($1, $2)', [lockSpace, key]);
          return await coordinator.run((other) => findLock(other, key));
        }),
      );
      if (found === 'here') throw refuse(options.url, 'it is the coordinator itself');
      if (found === null) throw refuse(options.url, 'the coordinator knows it by no other name');
      await coordinator.run((client) => requireSynced(client, found));
      await coordinator.run((client) =>
        inTransaction(client, async () => {
          await client.query('SELECT pg_advisory_xact_lock($1, $2)', [lockSpace, key]);
          const isSeen = await node.run((other) => seesLockOfCoordinator(other, key));
          if (!isSeen) throw refuseCutOff(options.url);
        }),
      );
    });
  } catch (error) {
    throw nameSetting(error);
  }
}

/** Any number that other programs do not use. */
const lockSpace = 646_470_304;

const isLock = (key: number): string =>
  `locktype = 'advisory' AND granted AND objsubid = 2 AND classid = ${lockSpace} AND objid = ${key}
   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;

/** @returns where the coordinator finds the lock: on itself, or on a node; null if nowhere */
async function findLock(client: pg.Client, key: number): Promise<'here' | number | null> {
  const { rowCount: isHere } = await client.query(`SELECT FROM pg_locks WHERE ${isLock(key)}`);
  if ((isHere ?? 0) > 0) return 'here';
  const groups = await askNodes(
    client,
    `SELECT coalesce((SELECT groupid FROM pg_dist_local_group WHERE EXISTS (SELECT FROM pg_locks WHERE ${isLock(key)})), -1)`,
  );
  const group = groups.map(Number).find((found) => found >= 0);
  return group ?? null;
}

async function seesLockOfCoordinator(client: pg.Client, key: number): Promise<boolean> {
  const { rows } = await client.query<{ isThere: boolean }>(
    `SELECT success AND result = '1' AS "isThere"
       FROM run_command_on_coordinator($1)`,
    [`SELECT count(*) FROM pg_locks WHERE ${isLock(key)}`],
  );
  return rows[0]?.isThere === true;
}

async function requireListed(client: pg.Client): Promise<void> {
  if ((await readCitus(client)) === null) {
    throw new TargetError(
      'CITUS_NODE_URL is for Citus, and the database of POSTGRES_URL has no extension of that name',
      { code: 'CITUS_NODE_UNKNOWN', fix: 'leave CITUS_NODE_URL out.' },
    );
  }
  const { rowCount } = await client.query('SELECT FROM pg_dist_node WHERE groupid = 0 AND isactive');
  if ((rowCount ?? 0) > 0) return;
  throw new TargetError('the nodes of Citus do not know their coordinator, to which they would write', {
    code: 'CITUS_COORDINATOR_UNLISTED',
    fix: "on the coordinator: SELECT citus_set_coordinator_host('host', 5432), by which the nodes reach it.",
  });
}

async function requireSynced(client: pg.Client, group: number): Promise<void> {
  // A node has the group of the coordinator until it was synced.
  const { rowCount } = await client.query(
    `SELECT FROM pg_dist_node WHERE groupid = $1 AND groupid <> 0 AND isactive AND noderole = 'primary' AND hasmetadata AND metadatasynced`,
    [group],
  );
  if ((rowCount ?? 0) > 0) return;
  throw new TargetError('the node of CITUS_NODE_URL does not know the tables of the cluster', {
    code: 'CITUS_NODE_UNSYNCED',
    fix: 'on the coordinator: SELECT start_metadata_sync_to_all_nodes().',
  });
}

function refuse(url: Url, why: string): TargetError {
  return new TargetError(
    `the server of CITUS_NODE_URL (${describePostgres(url)}) is no worker node for POSTGRES_URL: ${why}`,
    {
      code: 'CITUS_NODE_UNKNOWN',
      fix: 'give it a node that citus_get_active_worker_nodes() lists on the coordinator, with the same database, or leave it out.',
    },
  );
}

function refuseCutOff(url: Url): TargetError {
  return new TargetError(
    `the node of CITUS_NODE_URL (${describePostgres(url)}) does not reach the coordinator of POSTGRES_URL`,
    {
      code: 'CITUS_NODE_CUT_OFF',
      fix: 'correct the address of the coordinator with citus_set_coordinator_host, and the access of the nodes to it.',
    },
  );
}

/** The errors of a connection name the setting of the usual one. */
function nameSetting(error: unknown): unknown {
  if (!(error instanceof TargetError)) return error;
  const name = (text: string): string => text.replaceAll(/\bPOSTGRES_URL\b/g, 'CITUS_NODE_URL');
  if (!error.code.startsWith('POSTGRES_')) return error;
  const { code, isServerGone } = error;
  return new TargetError(name(error.message), { code, fix: name(error.fix), isServerGone, cause: error });
}
