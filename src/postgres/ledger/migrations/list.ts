/**
 * The ledger's migrations, each applied once and in this order. One that was released is never changed: what comes next is
 * a file of its own here.
 */

import { sql as first } from './000005.ts';
import { sql as ranges } from './000006.ts';
import { sql as phases } from './000007.ts';
import { sql as follow } from './000008.ts';
import { sql as verification } from './000009.ts';
import { sql as scripts } from './000010.ts';
import { sql as paces } from './000011.ts';
import { sql as transforms } from './000012.ts';
import { sql as notes } from './000013.ts';
import { sql as promotions } from './000014.ts';
import { sql as hosts } from './000015.ts';
import { sql as fold } from './000017.ts';
import { sql as hostVerifications } from './000018.ts';
import { sql as hostBuilds } from './000019.ts';
import { sql as hostTasks } from './000020.ts';
import { sql as slotOwners } from './000021.ts';
import { sql as failures } from './000022.ts';

export interface LedgerMigration {
  readonly number: number;
  readonly name: string;
  readonly sql: string;
}

export const migrations: readonly LedgerMigration[] = [
  { number: 5, name: 'first', sql: first },
  { number: 6, name: 'ranges-own-batches', sql: ranges },
  { number: 7, name: 'phases', sql: phases },
  { number: 8, name: 'follow', sql: follow },
  { number: 9, name: 'verification', sql: verification },
  { number: 10, name: 'scripts', sql: scripts },
  { number: 11, name: 'paces', sql: paces },
  { number: 12, name: 'transforms', sql: transforms },
  { number: 13, name: 'notes', sql: notes },
  { number: 14, name: 'promotions', sql: promotions },
  { number: 15, name: 'hosts', sql: hosts },
  { number: 17, name: 'fold', sql: fold },
  { number: 18, name: 'host-verifications', sql: hostVerifications },
  { number: 19, name: 'host-builds', sql: hostBuilds },
  { number: 20, name: 'host-tasks', sql: hostTasks },
  { number: 21, name: 'slot-owners', sql: slotOwners },
  { number: 22, name: 'failures', sql: failures },
];

/** The version that the first of them makes; what was before cannot be upgraded. */
export const oldestVersion = 5;

/** What this tool works with. */
export const currentVersion = migrations.at(-1)?.number ?? oldestVersion;

/** To be executed in a transaction. @param version the one that is there; null for an empty schema */
export function upgradeStatements(version: number | null): string {
  const due = migrations.filter(({ number }) => version === null || number > version);
  return [
    ...(version === null || version === oldestVersion ? [migrationsTable] : []),
    ...(version === oldestVersion ? [recordStatement(oldestVersion, 'first', 'NULL')] : []),
    ...due.flatMap(({ number, name, sql }) => [sql, recordStatement(number, name, 'now()')]),
    `COMMENT ON SCHEMA mongo2pg IS '${describeVersion(currentVersion)}';`,
  ].join('\n');
}

/** As the comment on the schema says it, which versions of this tool read that know no migrations. */
export function describeVersion(version: number): string {
  return `mongo2pg ledger ${version}`;
}

const migrationsTable = `
  CREATE TABLE mongo2pg.migrations (
    number      integer PRIMARY KEY,
    name        text NOT NULL,
    applied_at  timestamptz
  );
  COMMENT ON TABLE mongo2pg.migrations IS 'The changes of this ledger''s shape that were applied.';
  COMMENT ON COLUMN mongo2pg.migrations.applied_at IS 'Null where it was applied before this table was there.';`;

function recordStatement(number: number, name: string, at: 'now()' | 'NULL'): string {
  return `INSERT INTO mongo2pg.migrations (number, name, applied_at) VALUES (${number}, '${name}', ${at});`;
}
