/**
 * Sessions of several hosts: the application name contains the host's id, so that other hosts can end the session. Those through which a
 * host loads may be on a node of Citus.
 */

import pg from 'pg';
import { askNodes } from './citus.ts';

/** The host's id comes last. */
export function nameOfHost(applicationName: string, hostId: string): string {
  return `${applicationName} of host ${hostId}`;
}

/**
 * Ends all sessions of a host. If its process hangs or is cut off, they would keep their transactions and locks. (On a node that does not
 * answer they remain. What they hold on the coordinator is ended by `endOrphanedSessionsDuring`.)
 * @returns how many there were
 */
export async function endSessionsOfHost(client: pg.Client, hostId: string): Promise<number> {
  const ending = `
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name LIKE 'mongo2pg %'
       AND right(application_name, ${nameOfHost('', hostId).length}) = ${pg.escapeLiteral(nameOfHost('', hostId))}`;
  return await countEverywhere(client, ending);
}

/**
 * How many sessions on the coordinator the workers of all hosts have open. One on a node counts too: it has another one to the coordinator,
 * for its rows in the ledger.
 */
export async function countWorkerSessions(client: pg.Client): Promise<number> {
  const counting = `
    SELECT count(*) FROM pg_stat_activity
     WHERE datname = current_database() AND application_name LIKE ${pg.escapeLiteral(nameOfHost('mongo2pg worker', '%'))}`;
  return await countEverywhere(client, counting);
}

/** @param counting a query of one number */
async function countEverywhere(client: pg.Client, counting: string): Promise<number> {
  const { rows } = await client.query<{ count: string }>(counting);
  const counts = [rows[0]?.count ?? '0', ...(await askNodes(client, counting))];
  return counts.reduce((sum, count) => sum + Number(count), 0);
}
