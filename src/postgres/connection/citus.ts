/**
 * Citus, if the database has it: a coordinator, to which this tool connects, and worker nodes, which hold the rows of distributed
 * tables.
 */

import type pg from 'pg';
import { TargetError } from '../../common/errors.ts';

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

/** Only the coordinator commits the ledger's rows and those of a batch together. @throws TargetError */
export function requireCoordinator({ version, isCoordinator }: Citus): void {
  if (isCoordinator) return;
  throw new TargetError(`this is a worker node of a Citus ${version} cluster`, {
    code: 'CITUS_NOT_COORDINATOR',
    fix: 'give POSTGRES_URL the coordinator.',
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

/**
 * Completes the prepared transactions that a crash has left on nodes, as the coordinator decided: until then their rows are locked
 * or invisible. Citus does so by itself once a minute. Active transactions are left alone.
 */
export async function recoverTransactions(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ may: boolean }>(
    "SELECT has_function_privilege('pg_catalog.recover_prepared_transactions()', 'EXECUTE') AS may",
  );
  if (rows[0]?.may === true) await client.query('SELECT recover_prepared_transactions()');
}
