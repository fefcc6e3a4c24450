/** Loads one batch in one transaction: its row in the ledger first, then its rows, then its dead letters. */

import { once } from 'node:events';
import pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import type { Batch, WorkerSettings } from '../pool/protocol.ts';
import type { ExtraCount } from '../transcode/extra-counter.ts';
import type { DeadLetter, EncodedBatch } from '../transcode/row.ts';
import { closePostgres, connectPostgres, explainPostgresError } from './connection.ts';
import { copyStatement } from './ddl.ts';

export interface LoadOutcome {
  readonly isDuplicate: boolean;
  readonly copied: number;
  readonly deadLettered: number;
  readonly extra: readonly ExtraCount[];
}

export interface Loader {
  /** @throws TargetError when Postgres refuses the batch; nothing of it is then committed */
  load(batch: Batch, encoded: EncodedBatch): Promise<LoadOutcome>;
  close(): Promise<void>;
}

const uniqueViolation = '23505';

export async function openLoader(settings: WorkerSettings): Promise<Loader> {
  const { postgresUrl, plan, runId } = settings;
  const client = await connectPostgres(postgresUrl, 'mongo2pg worker');
  // Safe: the ledger's row and the batch's rows are lost or kept together, and the run's last commit is synchronous.
  await client.query('SET synchronous_commit = off');
  const copy = copyStatement(plan);

  const loadOnce = async (batch: Batch, encoded: EncodedBatch): Promise<LoadOutcome> => {
    const { copied, extra } = encoded;
    const deadLettered = encoded.deadLetters.length;
    await client.query('BEGIN');
    try {
      if (!(await claimBatch(client, runId, batch, copied, deadLettered))) {
        await client.query('ROLLBACK');
        return await readOutcome(client, runId, batch.number);
      }
      const rowCount = copied === 0 ? 0 : await copyRows(client, copy, encoded.copy);
      if (rowCount !== copied) throw new Error(`COPY took ${rowCount} rows of ${copied}`);
      await insertDeadLetters(client, runId, batch.number, plan.collection, encoded.deadLetters);
      await client.query('COMMIT');
      return { isDuplicate: false, copied, deadLettered, extra };
    } catch (error) {
      await client.query('ROLLBACK').catch(() => undefined);
      throw error;
    }
  };
  return {
    load: async (batch, encoded) => {
      try {
        return await loadOnce(batch, encoded);
      } catch (error) {
        throw error instanceof pg.DatabaseError ? explainPostgresError(error, postgresUrl) : error;
      }
    },
    close: () => closePostgres(client),
  };
}

/**
 * Inserts the batch's row into the ledger. If another transaction has inserted it and not ended yet (of a worker that
 * died, say), this waits for it.
 * @returns false when the batch is committed already
 */
async function claimBatch(
  client: pg.Client,
  runId: string,
  batch: Batch,
  copied: number,
  deadLettered: number,
): Promise<boolean> {
  try {
    await client.query({
      name: 'claim-batch',
      text: `INSERT INTO mongo2pg.batches (run_id, batch, after_id, last_id, documents, copied, dead_lettered)
             VALUES ($1, $2, $3, $4, $5, $6, $7)`,
      values: [
        runId,
        batch.number,
        asBuffer(batch.afterId),
        asBuffer(batch.lastId),
        batch.count,
        copied,
        deadLettered,
      ],
    });
    return true;
  } catch (error) {
    if (error instanceof pg.DatabaseError && error.code === uniqueViolation) return false;
    throw error;
  }
}

async function readOutcome(client: pg.Client, runId: string, batch: number): Promise<LoadOutcome> {
  const { rows } = await client.query<{ copied: number; deadLettered: number }>(
    'SELECT copied, dead_lettered AS "deadLettered" FROM mongo2pg.batches WHERE run_id = $1 AND batch = $2',
    [runId, batch],
  );
  const row = rows[0];
  if (row === undefined)
    throw new Error(`the ledger refused batch ${batch} as a duplicate, and does not have it`);
  // What went into the extra column was counted by the delivery that committed, whose ack was lost.
  return { isDuplicate: true, copied: row.copied, deadLettered: row.deadLettered, extra: [] };
}

/** @returns how many rows Postgres took */
async function copyRows(client: pg.Client, statement: string, bytes: Buffer): Promise<number> {
  const stream = client.query(copyFrom(statement));
  // `finish` comes when Postgres is ready for the next query, so the buffer may be written anew after it.
  const finished = once(stream, 'finish');
  stream.end(bytes);
  await finished;
  return stream.rowCount;
}

async function insertDeadLetters(
  client: pg.Client,
  runId: string,
  batch: number,
  collection: string,
  deadLetters: readonly DeadLetter[],
): Promise<void> {
  if (deadLetters.length === 0) return;
  await client.query(
    `INSERT INTO mongo2pg.dead_letters
            (run_id, batch, collection, ordinal, document_id, reason, column_name, detail, document)
     SELECT $1, $2, $3, * FROM unnest($4::int[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bytea[])`,
    [
      runId,
      batch,
      collection,
      deadLetters.map((letter) => letter.ordinal),
      deadLetters.map((letter) => letter.id),
      deadLetters.map((letter) => letter.reason),
      deadLetters.map((letter) => letter.column),
      deadLetters.map((letter) => letter.detail),
      deadLetters.map((letter) => letter.document),
    ],
  );
}

/** pg knows a Buffer, and what came over IPC may be a plain Uint8Array. */
function asBuffer(bytes: Uint8Array | null): Buffer | null {
  return bytes === null ? null : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
