/** The ledger's row of a batch, which is inserted before its rows and makes sure that they are loaded once. */

import pg from 'pg';
import { batchKey, type Batch, type BatchPlace } from '../pool/protocol.ts';
import type { ExtraCount } from '../transcode/extra-counter.ts';
import { byteaLiteral } from './bytea.ts';
import { OvertakenError } from './lead.ts';

/** How many documents of a batch went where. */
export interface BatchAccount {
  readonly documents: number;
  readonly copied: number;
  readonly deadLettered: number;
}

/** What the ledger's row of a batch tells of it. */
export interface Claim extends BatchAccount {
  readonly extra: readonly ExtraCount[];
  readonly childRows: number;
}

const uniqueViolation = '23505';
const notNullViolation = '23502';

/**
 * Inserts the batch's row. If another transaction has inserted it and not ended yet (of a worker that died, say), this
 * waits for it. The lock on the range's row, which the foreign key takes as well, makes whoever takes the range over wait for this
 * transaction, and lets the range be cut meanwhile; without such a row, of this epoch, the insertion fails. A whole
 * statement, without parameters, so that others can go with it in one query.
 */
export function claimStatement(runId: string, batch: Batch, claim: Claim): string {
  const values = [
    `(SELECT run_id FROM mongo2pg.ranges
       WHERE run_id = ${runId} AND range_no = ${batch.rangeNo} AND epoch = ${batch.epoch} FOR KEY SHARE)`,
    batch.rangeNo,
    batch.number,
    batch.afterId === null ? 'NULL' : byteaLiteral(batch.afterId),
    byteaLiteral(batch.lastId),
    claim.documents,
    claim.copied,
    claim.deadLettered,
    batch.documents.byteLength,
    claim.extra.length === 0 ? 'NULL' : pg.escapeLiteral(JSON.stringify(claim.extra)),
    claim.childRows,
  ];
  return `INSERT INTO mongo2pg.batches
      (run_id, range_no, batch, after_id, last_id, documents, copied, dead_lettered, bytes, extra, child_rows)
    VALUES (${values.join(', ')})`;
}

/**
 * @param error that a query with `claimStatement` failed with
 * @returns whether it says that the batch is committed already
 * @throws OvertakenError when it says that another process owns the range now
 */
export function isClaimedBefore(error: unknown): boolean {
  if (!(error instanceof pg.DatabaseError)) return false;
  if (error.schema !== 'mongo2pg' || error.table !== 'batches') return false;
  if (error.code === notNullViolation && error.column === 'run_id') throw new OvertakenError();
  return error.code === uniqueViolation;
}

/** Corrects the batch's row, once it is known that Postgres refuses some of its rows. */
export async function amendClaim(
  client: pg.Client,
  runId: string,
  { rangeNo, number }: BatchPlace,
  { copied, deadLettered, childRows }: BatchAccount & { readonly childRows: number },
): Promise<void> {
  await client.query(
    `UPDATE mongo2pg.batches SET copied = $4, dead_lettered = $5, child_rows = $6
      WHERE run_id = $1 AND range_no = $2 AND batch = $3`,
    [runId, rangeNo, number, copied, deadLettered, childRows],
  );
}

/** The account of a batch that an earlier delivery has committed. */
export async function readAccount(
  client: pg.Client,
  runId: string,
  place: BatchPlace,
): Promise<BatchAccount> {
  const { rows } = await client.query<BatchAccount>(
    `SELECT documents, copied, dead_lettered AS "deadLettered"
       FROM mongo2pg.batches WHERE run_id = $1 AND range_no = $2 AND batch = $3`,
    [runId, place.rangeNo, place.number],
  );
  const row = rows[0];
  if (row === undefined)
    throw new Error(`the ledger refused batch ${batchKey(place)} as a duplicate, and does not have it`);
  return row;
}
