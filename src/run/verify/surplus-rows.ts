/** Identifies surplus rows: collects the keys of all documents in PostgreSQL, and joins them with the tables. */

import type pg from 'pg';
import type { NamedDifference } from '../../observe/verification-summary.ts';
import { codeOf } from '../../postgres/connection/connection.ts';
import {
  claimKeys,
  createKeys,
  dropKeys,
  findDoubledRows,
  findExtraRows,
  findOrphanedRows,
  releaseKeys,
} from '../../postgres/compare/key-collection.ts';
import type { Run } from '../../postgres/ledger/runs.ts';
import type { Session } from '../../postgres/connection/session.ts';

export interface ExtraRowsOptions {
  readonly session: Session;
  readonly run: Run;
  /** Whether the tables have no rows of others, whose keys are unknown. */
  readonly isAlone: boolean;
  readonly limit: number;
  /** Reads the source again, and has the workers collect the keys. */
  readonly collectKeys: () => Promise<void>;
  readonly notify: (message: string) => void;
  /** Deletes surplus rows once they are identified; absent if they are only reported. */
  readonly remove?: (client: pg.Client) => Promise<void>;
}

const insufficientPrivilege = '42501';

/** @returns those that can be identified; a notice says why others cannot */
export async function nameExtraRows(options: ExtraRowsOptions): Promise<NamedDifference[]> {
  const { session, run, isAlone, limit, notify } = options;
  const { plan } = run.settings;
  const doubled = await session.run((client) => findDoubledRows(client, plan, limit), 'long');
  const named = doubled.map(({ kind, key }) => ({ kind, id: key ?? 'NULL', columns: [] }));
  if (isAlone) return [...named, ...(await nameByKeys(options, limit - named.length))];
  notify('the table has rows of other runs: which rows are surplus cannot be determined');
  return named;
}

async function nameByKeys(
  { session, run, collectKeys, notify, remove }: ExtraRowsOptions,
  limit: number,
): Promise<NamedDifference[]> {
  const { runId, settings } = run;
  const { plan } = settings;
  if (!(await session.run((client) => claimKeys(client, runId)))) {
    notify('surplus rows are only counted: another verification is identifying them');
    return [];
  }
  try {
    await session.run((client) => createKeys(client, plan, runId));
  } catch (error) {
    await session.run((client) => releaseKeys(client, runId));
    if (codeOf(error) !== insufficientPrivilege) throw error;
    notify('rows too many are only counted: to name them, the user needs CREATE on the schema mongo2pg');
    return [];
  }
  try {
    await collectKeys();
    const named = await session.run(async (client) => {
      const extra = await findExtraRows(client, plan, runId, limit);
      const orphans = await findOrphanedRows(client, plan, runId, limit - extra.length);
      return [
        ...extra.map(({ kind, key }) => ({ kind, id: key ?? 'NULL', columns: [] })),
        ...orphans.map(({ table, key, places }) => ({
          ...{ kind: 'extra' as const, id: key ?? 'NULL', columns: [] },
          place: `${table}${places.map((place) => `[${place ?? 'NULL'}]`).join('')}`,
        })),
      ];
    }, 'long');
    if (remove !== undefined) await session.transaction(remove, 'long');
    return named;
  } finally {
    await session.run(async (client) => {
      // On a new connection, another verification may have taken the lock since.
      if (!(await claimKeys(client, runId))) return;
      await dropKeys(client, runId);
      await releaseKeys(client, runId);
      await releaseKeys(client, runId);
    });
  }
}
