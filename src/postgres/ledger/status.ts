/** The whole status from the ledger, in one snapshot: jobs, runs, streams and hosts. */

import type { Status } from '../../observe/status.ts';
import type { Session } from '../connection/session.ts';
import { readJobStatus } from './job-status.ts';
import { goneAfterMs, readHostStatus, readSharedWork } from './hosts/host-status.ts';
import { requireLedger } from './ledger.ts';
import { readRunStatus } from './run-status.ts';
import { readStreamStatus } from './streams/stream-status.ts';

/** @param includesReplaced also runs whose rows a later one has replaced @throws UsageError if there is no ledger */
export async function readStatus(session: Session, includesReplaced: boolean): Promise<Status> {
  const status = await readOnce(session, includesReplaced);
  // Locks are read after the rows: a run that finishes in between is shown as stopped.
  return isAtWork(status) ? status : await readOnce(session, includesReplaced);
}

/** Whether a process is working on any of it. */
export function isAtWork({ jobs, runs, streams, hosts }: Status): boolean {
  return (
    [...jobs, ...runs].some(({ state }) => state === 'running') ||
    streams.some(({ state }) => state === 'following') ||
    hosts.some(({ state, silentMs }) => state === 'leads' && silentMs < goneAfterMs)
  );
}

async function readOnce(session: Session, includesReplaced: boolean): Promise<Status> {
  return await session.run(async (client) => {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    try {
      await requireLedger(client);
      const runs = await readRunStatus(client, includesReplaced);
      const jobs = await readJobStatus(client, runs, includesReplaced);
      const hosts = await readHostStatus(client, includesReplaced);
      const sharedWork = await readSharedWork(client, includesReplaced);
      return { jobs, runs, hosts, sharedWork, streams: await readStreamStatus(client, includesReplaced) };
    } finally {
      await client.query('ROLLBACK');
    }
  });
}
