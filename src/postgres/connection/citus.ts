/**
 * Citus, if the database has it: a coordinator, to which this tool connects, and worker nodes, which hold the rows of distributed
 * tables.
 */

import pg from 'pg';
import { TargetError } from '../../common/errors.ts';
import { runStatements } from './several-statements.ts';

export interface Citus {
  /** Such as `12.1-1`. */
  readonly version: string;
  readonly isCoordinator: boolean;
  /** Nodes that hold rows of distributed tables. */
  readonly nodes: number;
}

/** @returns null in a database without the extension */
export async function readCitus(client: pg.Client): Promise<Citus | null> {
  const { rows: extensions } = await client.query<{ version: string }>(
    "SELECT extversion AS version FROM pg_extension WHERE extname = 'citus'",
  );
  const version = extensions[0]?.version;
  if (version === undefined) return null;
  const { rows } = await client.query<Omit<Citus, 'version'>>(
    `SELECT (SELECT groupid FROM pg_dist_local_group) = 0 AS "isCoordinator",
            (SELECT count(*)::int FROM pg_dist_node
              WHERE isactive AND noderole = 'primary' AND shouldhaveshards) AS nodes`,
  );
  return { version, isCoordinator: rows[0]?.isCoordinator === true, nodes: rows[0]?.nodes ?? 0 };
}

/** The ledger, its locks and the queue are there: those of one node mean nothing on another. @throws TargetError */
export function requireCoordinator({ version, isCoordinator }: Citus): void {
  if (isCoordinator) return;
  throw new TargetError(`this is a worker node of a Citus ${version} cluster`, {
    code: 'CITUS_NOT_COORDINATOR',
    fix: 'give POSTGRES_URL the coordinator; rows can be loaded through this node with CITUS_NODE_URL.',
  });
}

/** @throws TargetError if no table can be distributed */
export function requireNodes(citus: Citus | null): void {
  if (citus === null) {
    throw new TargetError('--distribute is for Citus, and this database has no extension of that name', {
      code: 'CITUS_MISSING',
      fix: 'CREATE EXTENSION citus, or leave --distribute out.',
    });
  }
  if (citus.nodes > 0) return;
  throw new TargetError(`this Citus ${citus.version} cluster has no node that takes rows`, {
    code: 'CITUS_NO_NODES',
    fix: "add one on the coordinator: SELECT citus_add_node('host', 5432), or leave --distribute out.",
  });
}

/**
 * How a worker commits. On one server asynchronously, which is safe: a crash loses the ledger's row and the batch's rows together,
 * and the run finds the gap. On Citus a commit spans servers, and the coordinator could lose its part alone. There, one connection
 * to each node is enough: with one for each shard, each batch would be as many transactions.
 */
export async function prepareWorkerSession(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ hasCitus: boolean }>(
    `SELECT hasCitus AS "hasCitus", set_config('synchronous_commit', CASE WHEN hasCitus THEN 'on' ELSE 'off' END, false),
            CASE WHEN hasCitus THEN set_config('citus.multi_shard_modify_mode', 'sequential', false) END
       FROM (SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus') AS hasCitus) AS found`,
  );
  if (rows[0]?.hasCitus === true) await recoverTransactions(client);
}

/** Prepared transactions of Citus in this database, of whichever server has begun them. */
export const isPreparedHere = "gid LIKE 'citus\\_%' AND database = current_database()";

/**
 * Completes the prepared transactions that a crash has left, each as the server decided that has begun it: until then their rows
 * are locked or invisible. Citus does so by itself once a minute. Active transactions are left alone.
 * @param where `own`: those that this server has begun, and all if it has one of another; `all`: those that any server has begun
 */
export async function recoverTransactions(client: pg.Client, where: 'own' | 'all' = 'own'): Promise<void> {
  const { rows } = await client.query<{ may: boolean; hasOthers: boolean }>(
    `SELECT has_function_privilege('pg_catalog.recover_prepared_transactions()', 'EXECUTE') AS may,
            EXISTS (SELECT FROM pg_prepared_xacts WHERE ${isPreparedHere}) AS "hasOthers"`,
  );
  const { may = false, hasOthers = false } = rows[0] ?? {};
  if (!may) return;
  await client.query('SELECT recover_prepared_transactions()');
  if (hasOthers || where === 'all') await recoverOnNodes(client);
}

/** Has all servers complete what they have begun. One that does not answer is left out. */
export async function recoverOnNodes(client: pg.Client): Promise<void> {
  // Older ones have no node that begins a transaction.
  const { rows } = await client.query<{ isThere: boolean }>(
    `SELECT to_regproc('pg_catalog.run_command_on_all_nodes') IS NOT NULL AS "isThere"`,
  );
  if (rows[0]?.isThere !== true) return;
  await runStatements(
    client,
    atNodes("SELECT run_command_on_all_nodes('SELECT recover_prepared_transactions()')"),
  );
}

/** The result of a query of one value on each worker node that answers; none without Citus. */
export async function askNodes(client: pg.Client, sql: string): Promise<string[]> {
  const { rows: functions } = await client.query<{ isThere: boolean }>(
    `SELECT to_regproc('pg_catalog.run_command_on_workers') IS NOT NULL AS "isThere"`,
  );
  if (functions[0]?.isThere !== true) return [];
  const results = await runStatements<{ result: string }>(
    client,
    atNodes(`SELECT result FROM run_command_on_workers(${pg.escapeLiteral(sql)}) WHERE success`),
  );
  return (results[1]?.rows ?? []).map(({ result }) => result);
}

/** Waits for a node that cannot be reached for less than the 30 s of Citus: a host asks between its heartbeats. */
function atNodes(statement: string): string {
  return `SET LOCAL citus.node_connection_timeout = '5s'; ${statement}; SET LOCAL citus.node_connection_timeout TO DEFAULT`;
}
