/**
 * The ledger: the tables of schema `mongo2pg` in the target that record what has been committed. The schema has a version.
 * An earlier one is upgraded (see `migrations/`), a later one is left alone.
 */

import type pg from 'pg';
import { TargetError, UsageError } from '../../common/errors.ts';
import { currentVersion, describeVersion, oldestVersion, upgradeStatements } from './migrations/list.ts';
import { reserve } from './run-lock.ts';
import type { Session } from '../connection/session.ts';
import { endOrphanedSessionsDuring } from '../connection/orphaned-sessions.ts';
import { createSchema } from '../connection/relations.ts';

/** Any fixed number will do. Prevents two starts from creating or upgrading the ledger at the same time. */
const createLockKey = 6_464_703_001;

/**
 * Creates the ledger if there is none, and upgrades one of an earlier version. To be called in a transaction.
 * @throws TargetError when it cannot be upgraded
 */
export async function createLedger(client: pg.Client): Promise<void> {
  // IF NOT EXISTS alone is not safe when two sessions create the same thing at once.
  await client.query('SELECT pg_advisory_xact_lock($1)', [createLockKey]);
  const version = await readVersion(client);
  if (version === currentVersion) return;
  await client.query('SET LOCAL client_min_messages = warning');
  if (version === null) {
    await createSchema(client, 'mongo2pg');
  } else {
    await requireUnused(client, version);
    await lockLedger(client);
  }
  await client.query(upgradeStatements(version));
}

/**
 * Creates or upgrades the ledger in a transaction of its own, before one that takes ids from its sequences. With `wal_level = minimal`,
 * PostgreSQL 18 and older write no log of a sequence that is created and used in one transaction: a crash later gives its ids again.
 * @throws TargetError when it cannot be upgraded
 */
export async function prepareLedger(session: Session): Promise<void> {
  const version = await session.run(readVersion);
  if (version !== currentVersion) await session.transaction(createLedger, 'long');
}

/** For a command that writes to the ledger if it exists. @throws TargetError when it cannot be upgraded */
export async function upgradeLedger(session: Session): Promise<void> {
  const version = await session.run(readVersion);
  if (version !== null && version !== currentVersion) await session.transaction(createLedger, 'long');
}

/** For a command that only reads it. @throws TargetError when it has another version */
export async function hasLedger(client: pg.Client): Promise<boolean> {
  const version = await readVersion(client);
  if (version === null || version === currentVersion) return version !== null;
  throw new TargetError(
    `the ledger in the schema mongo2pg has version ${version}, and this tool needs version ${currentVersion}`,
    {
      code: 'LEDGER_OUTDATED',
      fix: 'any command that writes to it upgrades it: start, verify or retry.',
    },
  );
}

/** For a command that needs one. @throws UsageError if there is none */
export async function requireLedger(client: pg.Client): Promise<void> {
  if (await hasLedger(client)) return;
  throw new UsageError('this database has no ledger: nothing was copied into it', {
    code: 'LEDGER_MISSING',
    fix: 'give POSTGRES_URL the database that the run has loaded.',
  });
}

/** Connections on which the ledger had the current version: it is not upgraded while it is in use. */
const current = new WeakSet<pg.Client>();

/** @returns null if there is no ledger. @throws TargetError for one that this tool cannot upgrade */
async function readVersion(client: pg.Client): Promise<number | null> {
  if (current.has(client)) return currentVersion;
  const version = await askVersion(client);
  // A transaction that has created it may be rolled back.
  if (version === currentVersion && client.getTransactionStatus() === 'I') current.add(client);
  return version;
}

async function askVersion(client: pg.Client): Promise<number | null> {
  const { rows } = await client.query<{ runs: string | null; comment: string | null }>(
    `SELECT to_regclass('mongo2pg.runs') AS runs, obj_description(to_regnamespace('mongo2pg'), 'pg_namespace') AS comment`,
  );
  const row = rows[0];
  if (row?.runs == null) return null;
  const version = parseVersion(row.comment);
  if (version !== null && version > currentVersion) {
    throw new TargetError(
      `the ledger in the schema mongo2pg has version ${version}, and this tool supports versions up to ${currentVersion}`,
      {
        code: 'LEDGER_NEWER',
        fix: 'use the version of mongo2pg that has upgraded it, or a later one.',
      },
    );
  }
  if (version !== null && version >= oldestVersion) return version;
  throw new TargetError('the ledger in the schema mongo2pg was created by another version of this tool', {
    code: 'LEDGER_UNKNOWN',
    fix: 'finish its runs with that version; then DROP SCHEMA mongo2pg CASCADE, which leaves the copied tables alone.',
  });
}

function parseVersion(comment: string | null): number | null {
  const version = Number(/\d+$/.exec(comment ?? '')?.[0] ?? 0);
  return comment === describeVersion(version) ? version : null;
}

/**
 * A running process of an earlier version would meet tables that it does not know. It holds the lock on its table or job. A process
 * that starts later finds the new version and refuses to run.
 */
async function requireUnused(client: pg.Client, version: number): Promise<void> {
  const { rows: tables } = await client.query<{ schema: string; table: string }>(
    `SELECT table_schema AS schema, table_name AS table FROM mongo2pg.runs
      WHERE finished_at IS NULL AND replaced_at IS NULL`,
  );
  const { rows: jobs } = await client.query<{ id: string }>(
    'SELECT job_id AS id FROM mongo2pg.jobs WHERE finished_at IS NULL',
  );
  const users = await reserve(
    client,
    tables,
    jobs.map(({ id }) => id),
  );
  if (users.length === 0) return;
  throw new TargetError(
    `the ledger in the schema mongo2pg has version ${version}, and cannot be upgraded while it is in use: ${users.join(', ')}`,
    {
      code: 'LEDGER_IN_USE',
      fix: 'let that finish, or stop it: with this version too, the same command resumes it.',
    },
  );
}

/** Ends workers whose primary is gone, whose transactions would block the upgrade. */
async function lockLedger(client: pg.Client): Promise<void> {
  await endOrphanedSessionsDuring(client, 'the tables of the schema mongo2pg', async () => {
    await client.query(
      'LOCK TABLE mongo2pg.runs, mongo2pg.ranges, mongo2pg.batches, mongo2pg.dead_letters IN ACCESS EXCLUSIVE MODE',
    );
  });
}
