/** The ledger's rows of scripts: SQL of the user that is run once before a copy, or once after it. */

import pg from 'pg';
import { TargetError } from '../../common/errors.ts';
import { detailOf } from '../connection/connection.ts';
import { isTransient } from '../connection/transient-errors.ts';
import { lockScripts } from './run-lock.ts';

export type ScriptStage = 'before' | 'after';

/** Which copy a script belongs to. */
export interface ScriptScope {
  readonly sourceDb: string;
  readonly schema: string;
  /** The names and patterns of the collections, as given. */
  readonly selection: string;
}

export interface Script {
  readonly stage: ScriptStage;
  readonly sql: string;
  /** SHA-256 of the file, 32 bytes. */
  readonly sha256: Buffer;
}

export type ScriptOutcome =
  | { readonly kind: 'done' }
  /** Nothing was carried out: an earlier process has done it. */
  | ({ readonly kind: 'done-before' } & Pick<DoneScript, 'doneAt' | 'isSameFile'>);

/** A script that was run. */
export interface DoneScript {
  readonly doneAt: Date;
  /** False if the file has changed since. */
  readonly isSameFile: boolean;
  /** Whether its copy is finished. */
  readonly isClosed: boolean;
}

/** @returns null if no script of this stage was run yet, from any file */
export async function readDoneScript(
  client: pg.Client,
  scope: ScriptScope,
  { stage, sha256 }: Script,
): Promise<DoneScript | null> {
  const { rows } = await client.query<{ doneAt: Date; sha256: Buffer; isClosed: boolean }>(
    `SELECT done_at AS "doneAt", sha256, is_closed AS "isClosed" FROM mongo2pg.scripts
      WHERE source_db = $1 AND table_schema = $2 AND selection = $3 AND stage = $4`,
    [...keyOf(scope), stage],
  );
  const row = rows[0];
  if (row === undefined) return null;
  return { doneAt: row.doneAt, isSameFile: row.sha256.equals(sha256), isClosed: row.isClosed };
}

/** Two equal rows that violate a deferred constraint, so that a COMMIT within the script fails. */
const guardStatements = `
  CREATE TEMPORARY TABLE mongo2pg_script (is_open boolean UNIQUE DEFERRABLE INITIALLY DEFERRED) ON COMMIT DROP;
  INSERT INTO pg_temp.mongo2pg_script VALUES (true), (true)`;

const queryCanceled = '57014';

const guardConstraint = 'mongo2pg_script_is_open_key';

/**
 * Runs a script and records that, atomically. To be called in a transaction, on a connection that is not used afterwards: the
 * script may change its settings.
 * @throws TargetError if the script ends the transaction; else the errors of pg
 */
export async function runScript(
  client: pg.Client,
  scope: ScriptScope,
  script: Script,
): Promise<ScriptOutcome> {
  const { stage, sql, sha256 } = script;
  // Another start may be running it.
  await lockScripts(client, JSON.stringify(keyOf(scope)));
  const before = await readDoneScript(client, scope, script);
  if (before !== null) return { kind: 'done-before', ...before };
  const transaction = await readTransaction(client);
  await client.query(guardStatements);
  try {
    await client.query(sql);
  } catch (error) {
    throw isGuard(error) ? refuseEnd(stage, 'nothing of it was carried out') : explainFailure(error, script);
  }
  if ((await readTransaction(client)) !== transaction) {
    throw refuseEnd(stage, 'the statements before that were rolled back');
  }
  await client.query('DELETE FROM pg_temp.mongo2pg_script');
  await client.query(
    `INSERT INTO mongo2pg.scripts (source_db, table_schema, selection, stage, sha256) VALUES ($1, $2, $3, $4, $5)`,
    [...keyOf(scope), stage, sha256],
  );
  return { kind: 'done' };
}

/** All is copied. */
export async function closeScripts(client: pg.Client, scope: ScriptScope): Promise<void> {
  await client.query(
    `UPDATE mongo2pg.scripts SET is_closed = true
      WHERE source_db = $1 AND table_schema = $2 AND selection = $3 AND NOT is_closed`,
    keyOf(scope),
  );
}

/** The scripts are run again by the next copy. @param which only those of a finished copy, or all */
export async function forgetScripts(
  client: pg.Client,
  scope: ScriptScope,
  which: 'closed' | 'all',
): Promise<void> {
  await client.query(
    `DELETE FROM mongo2pg.scripts
      WHERE source_db = $1 AND table_schema = $2 AND selection = $3 AND (is_closed OR $4)`,
    [...keyOf(scope), which === 'all'],
  );
}

function keyOf({ sourceDb, schema, selection }: ScriptScope): string[] {
  return [sourceDb, schema, selection];
}

async function readTransaction(client: pg.Client): Promise<string> {
  const { rows } = await client.query<{ id: string }>('SELECT txid_current() AS id');
  return rows[0]?.id ?? '';
}

function isGuard(error: unknown): boolean {
  return error instanceof Error && 'constraint' in error && error.constraint === guardConstraint;
}

function refuseEnd(stage: ScriptStage, consequence: string): TargetError {
  return new TargetError(
    `the script of ${scriptSetting(stage)} ends the transaction in which it is carried out; ${consequence}`,
    {
      code: 'SCRIPT_ENDS_TRANSACTION',
      fix: 'remove COMMIT, ROLLBACK, BEGIN and similar statements: a script is always run in one transaction.',
    },
  );
}

/** The error of a statement, with its place in the file. */
function explainFailure(error: unknown, { stage, sql }: Script): unknown {
  if (!(error instanceof pg.DatabaseError)) return error;
  // A cancelled statement is not transient here: the script set a timeout itself, or reads from standard input.
  if (isTransient(error) && error.code !== queryCanceled) return error;
  const offset = Number(error.position ?? 0);
  const place = offset > 0 ? ` at ${describePlace(sql, offset)}` : '';
  return new TargetError(
    `the script of ${scriptSetting(stage)} failed${place}: ${error.message}${detailOf(error)}`,
    {
      code: 'SCRIPT_FAILED',
      fix: `nothing of it was carried out, and ${stage === 'before' ? 'nothing' : 'all'} is copied: correct it, and run the same command again.`,
      cause: error,
    },
  );
}

/** @param offset in characters, from 1, as Postgres counts them */
function describePlace(sql: string, offset: number): string {
  const before = Array.from(sql).slice(0, offset - 1);
  const line = before.filter((character) => character === '\n').length + 1;
  return `line ${line}, column ${before.length - before.lastIndexOf('\n')}`;
}

export function scriptSetting(stage: ScriptStage): 'BEFORE_SQL' | 'AFTER_SQL' {
  return stage === 'before' ? 'BEFORE_SQL' : 'AFTER_SQL';
}
