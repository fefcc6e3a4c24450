/** The ledger: the tables of schema `mongo2pg` in the target that tell what has been committed. */

import type pg from 'pg';
import type { Plan } from '../plan/plan.ts';

/** What a run has committed, as the ledger tells it. */
export interface RunTotals {
  readonly documents: number;
  readonly copied: number;
  readonly deadLettered: number;
}

/** Any fixed number does: it keeps two starting runs from creating the ledger at the same time. */
const createLockKey = 6_464_703_001;

const ledgerTables = `
  CREATE SCHEMA IF NOT EXISTS mongo2pg;

  CREATE TABLE IF NOT EXISTS mongo2pg.runs (
    run_id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source        text NOT NULL,
    table_schema  text NOT NULL,
    table_name    text NOT NULL,
    plan          jsonb NOT NULL,
    started_at    timestamptz NOT NULL DEFAULT now(),
    finished_at   timestamptz
  );

  CREATE TABLE IF NOT EXISTS mongo2pg.batches (
    run_id         bigint NOT NULL REFERENCES mongo2pg.runs,
    batch          bigint NOT NULL,
    after_id       bytea,
    last_id        bytea NOT NULL,
    documents      integer NOT NULL,
    copied         integer NOT NULL,
    dead_lettered  integer NOT NULL,
    CHECK (documents = copied + dead_lettered),
    PRIMARY KEY (run_id, batch)
  );
  COMMENT ON COLUMN mongo2pg.batches.after_id IS
    'The batch holds the documents of the interval (after_id, last_id]; both are BSON documents {_id: ...}.';

  CREATE TABLE IF NOT EXISTS mongo2pg.dead_letters (
    run_id       bigint NOT NULL,
    batch        bigint NOT NULL,
    ordinal      integer NOT NULL,
    collection   text NOT NULL,
    document_id  text,
    reason       text NOT NULL,
    column_name  text,
    detail       text NOT NULL,
    document     bytea NOT NULL,
    PRIMARY KEY (run_id, batch, ordinal),
    FOREIGN KEY (run_id, batch) REFERENCES mongo2pg.batches
  );
  COMMENT ON COLUMN mongo2pg.dead_letters.document IS 'The whole document as raw BSON.';
`;

export async function createLedger(client: pg.Client): Promise<void> {
  // IF NOT EXISTS alone is not safe when two sessions create the same thing at once.
  await client.query('BEGIN');
  await client.query('SELECT pg_advisory_xact_lock($1)', [createLockKey]);
  await client.query('SET LOCAL client_min_messages = warning');
  await client.query(ledgerTables);
  await client.query('COMMIT');
}

/** Writes the run down; returns its id. */
export async function openRun(client: pg.Client, source: string, plan: Plan): Promise<string> {
  const { rows } = await client.query<{ run_id: string }>(
    `INSERT INTO mongo2pg.runs (source, table_schema, table_name, plan) VALUES ($1, $2, $3, $4) RETURNING run_id`,
    [source, plan.schema, plan.table, JSON.stringify(plan)],
  );
  const runId = rows[0]?.run_id;
  if (runId === undefined) throw new Error('INSERT … RETURNING gave no row');
  return runId;
}

/** The run's last commit, and a synchronous one: with it, all that the workers committed before is on disk. */
export async function finishRun(client: pg.Client, runId: string): Promise<void> {
  await client.query('BEGIN');
  await client.query('SET LOCAL synchronous_commit = on');
  await client.query('UPDATE mongo2pg.runs SET finished_at = now() WHERE run_id = $1', [runId]);
  await client.query('COMMIT');
}

export async function readTotals(client: pg.Client, runId: string): Promise<RunTotals> {
  const { rows } = await client.query<Record<keyof RunTotals, string>>(
    `SELECT coalesce(sum(documents), 0) AS documents, coalesce(sum(copied), 0) AS copied,
            coalesce(sum(dead_lettered), 0) AS "deadLettered"
       FROM mongo2pg.batches WHERE run_id = $1`,
    [runId],
  );
  const row = rows[0];
  return {
    documents: Number(row?.documents),
    copied: Number(row?.copied),
    deadLettered: Number(row?.deadLettered),
  };
}

/** Reasons of a run's dead letters, the most frequent first. */
export async function countDeadLetters(
  client: pg.Client,
  runId: string,
): Promise<{ reason: string; count: number }[]> {
  const { rows } = await client.query<{ reason: string; count: string }>(
    `SELECT reason, count(*) AS count FROM mongo2pg.dead_letters
      WHERE run_id = $1 GROUP BY reason ORDER BY count(*) DESC, reason`,
    [runId],
  );
  return rows.map(({ reason, count }) => ({ reason, count: Number(count) }));
}

/** True when a run of this tool made the table: what stands in it can be read again from its source. */
export async function isTableOfARun(client: pg.Client, schema: string, table: string): Promise<boolean> {
  const { rows } = await client.query<{ ledger: string | null }>(
    `SELECT to_regclass('mongo2pg.runs') AS ledger`,
  );
  if (rows[0]?.ledger == null) return false;
  const { rowCount } = await client.query(
    'SELECT FROM mongo2pg.runs WHERE table_schema = $1 AND table_name = $2 LIMIT 1',
    [schema, table],
  );
  return (rowCount ?? 0) > 0;
}
