/** The ledger's row of a batch, which is inserted before its rows and makes sure that they are loaded once. */

import pg from 'pg';
import type { Batch } from '../pool/protocol.ts';
import type { ExtraCount } from '../transcode/extra-counter.ts';
import { asBuffer } from './bytea.ts';
import { OvertakenError, type Lead } from './lead.ts';

/** How many documents of a batch went where. */
export interface BatchAccount {
  readonly documents: number;
  readonly copied: number;
  readonly deadLettered: number;
}

const uniqueViolation = '23505';

/**
 * Inserts the batch's row. If another transaction has inserted it and not ended yet (of a worker that died, say), this
 * waits for it. The share lock on the run's row makes `takeOverRun` wait for this transaction.
 * @returns false when the batch is committed already
 * @throws OvertakenError when another process leads the run now
 */
export async function claimBatch(
  client: pg.Client,
  run: Lead,
  batch: Batch,
  account: BatchAccount & { readonly extra: readonly ExtraCount[]; readonly childRows: number },
): Promise<boolean> {
  try {
    const { rowCount } = await client.query({
      name: 'claim-batch',
      text: `INSERT INTO mongo2pg.batches
               (run_id, batch, range_no, after_id, last_id, documents, copied, dead_lettered, bytes, extra, child_rows)
             SELECT run_id, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12
               FROM mongo2pg.runs WHERE run_id = $1 AND epoch = $2 FOR SHARE`,
      values: [
        run.runId,
        run.epoch,
        batch.number,
        batch.rangeNo,
        asBuffer(batch.afterId),
        asBuffer(batch.lastId),
        account.documents,
        account.copied,
        account.deadLettered,
        batch.documents.byteLength,
        account.extra.length === 0 ? null : JSON.stringify(account.extra),
        account.childRows,
      ],
    });
    if (rowCount === 1) return true;
  } catch (error) {
    if (error instanceof pg.DatabaseError && error.code === uniqueViolation) return false;
    throw error;
  }
  throw new OvertakenError();
}

/** Corrects the batch's row, once it is known that Postgres refuses some of its rows. */
export async function amendClaim(
  client: pg.Client,
  runId: string,
  batch: number,
  { copied, deadLettered, childRows }: BatchAccount & { readonly childRows: number },
): Promise<void> {
  await client.query(
    `UPDATE mongo2pg.batches SET copied = $3, dead_lettered = $4, child_rows = $5
      WHERE run_id = $1 AND batch = $2`,
    [runId, batch, copied, deadLettered, childRows],
  );
}

/** The account of a batch that an earlier delivery has committed. */
export async function readAccount(client: pg.Client, runId: string, batch: number): Promise<BatchAccount> {
  const { rows } = await client.query<BatchAccount>(
    `SELECT documents, copied, dead_lettered AS "deadLettered"
       FROM mongo2pg.batches WHERE run_id = $1 AND batch = $2`,
    [runId, batch],
  );
  const row = rows[0];
  if (row === undefined)
    throw new Error(`the ledger refused batch ${batch} as a duplicate, and does not have it`);
  return row;
}
