/** The ledger's row of a batch. It is inserted before the batch's rows, so that they are loaded once. */

import pg from 'pg';
import { type Batch, batchKey, type BatchPlace } from '../../source/page.ts';
import type { ExtraCount } from '../../transcode/extra-counter.ts';
import type { BatchAccount } from '../../observe/ack.ts';
import { byteaLiteral } from '../connection/bytea.ts';
import type { Session } from '../connection/session.ts';
import { insertDeadLetters, lettersStatement, type LedgerLetter } from './dead-letters.ts';
import { SupersededError } from './leadership.ts';
import { readRelayedError, relay, relayed } from './relay.ts';

/** What the ledger records of a batch before its rows are loaded. */
export interface ClaimRow extends BatchAccount {
  readonly extra: readonly ExtraCount[];
  readonly childRows: number;
}

/** Ensures, in the transaction that loads a batch, that it is loaded once. */
export interface Claim {
  /** Precedes the rows, in one query with the next statement. Fails if the batch is committed already. */
  statement(batch: Batch, row: ClaimRow): string;
  /**
   * @param error of a query with `statement`
   * @returns whether it means that the batch is committed already
   * @throws SupersededError when it means that another process owns the range
   */
  isTaken(error: unknown): boolean;
  /** What an earlier delivery of the batch has committed. */
  readAccount(client: pg.Client, batch: Batch): Promise<BatchAccount>;
  /** Corrects the counts, once Postgres has rejected some of the rows. */
  amend(
    client: pg.Client,
    batch: Batch,
    account: BatchAccount & { readonly childRows: number },
  ): Promise<void>;
  /** Stores the dead letters of the batch. */
  keepLetters(client: pg.Client, batch: Batch, letters: readonly LedgerLetter[]): Promise<void>;
}

/** Claims a batch by its row in the ledger. */
export function createLedgerClaim(runId: string, collection: string): Claim {
  return {
    statement: (batch, row) => claimStatement(runId, batch, row),
    isTaken: isClaimedBefore,
    readAccount: (client, batch) => readAccount(client, runId, batch),
    amend: (client, batch, account) => amendClaim(client, runId, batch, account),
    keepLetters: (client, { rangeNo, number }, letters) =>
      insertDeadLetters(client, { runId, rangeNo, number, collection }, letters),
  };
}

/**
 * The same for a transaction on a worker node of Citus, where there is no ledger: by the relay.
 * @param atCoordinator a session for what is only read
 */
export function createRelayedClaim(
  runId: string,
  collection: string,
  atCoordinator: () => Promise<Session>,
): Claim {
  return {
    statement: (batch, row) => relayed(claimStatement(runId, batch, row)),
    isTaken: (error) => {
      const said = readRelayedError(error);
      if (said === 'hasNoRange') throw new SupersededError();
      return said === 'isClaimed';
    },
    readAccount: async (_client, batch) =>
      await (await atCoordinator()).run((client) => readAccount(client, runId, batch)),
    amend: async (client, batch, account) => {
      await relay(client, amendStatement(runId, batch, account));
    },
    keepLetters: async (client, { rangeNo, number }, letters) => {
      if (letters.length === 0) return;
      await relay(client, lettersStatement({ runId, rangeNo, number, collection }, letters));
    },
  };
}

const uniqueViolation = '23505';
const notNullViolation = '23502';

/**
 * Inserts the batch's row. If another open transaction has inserted it (of a worker that died, for example), this waits for that
 * one to end. The lock on the range's row, which the foreign key takes anyway, makes a process that takes over the range wait for
 * this transaction, and still allows the range to be split. If the range has another epoch, the insertion fails. A statement
 * without parameters, so that it can be combined with others in one query.
 */
function claimStatement(runId: string, batch: Batch, claim: ClaimRow): string {
  const values = [
    `(SELECT run_id FROM mongo2pg.ranges
       WHERE run_id = ${runId} AND range_no = ${batch.rangeNo} AND epoch = ${batch.epoch} FOR KEY SHARE)`,
    batch.rangeNo,
    batch.number,
    batch.after === null ? 'NULL' : byteaLiteral(batch.after),
    byteaLiteral(batch.last),
    claim.documentCount,
    claim.copied,
    claim.deadLettered,
    batch.bytes.byteLength,
    claim.extra.length === 0 ? 'NULL' : pg.escapeLiteral(JSON.stringify(claim.extra)),
    claim.childRows,
    claim.dropped,
    claim.addedRows,
  ];
  return `INSERT INTO mongo2pg.batches
      (run_id, range_no, batch, after_id, last_id, documents, copied, dead_lettered, bytes, extra, child_rows, dropped,
       added_rows)
    VALUES (${values.join(', ')})`;
}

/**
 * @param error of a query with `claimStatement`
 * @returns whether it means that the batch is committed already
 * @throws SupersededError when it means that another process owns the range
 */
function isClaimedBefore(error: unknown): boolean {
  if (!(error instanceof pg.DatabaseError)) return false;
  if (error.schema !== 'mongo2pg' || error.table !== 'batches') return false;
  if (error.code === notNullViolation && error.column === 'run_id') throw new SupersededError();
  return error.code === uniqueViolation;
}

/** Corrects the batch's row, once Postgres has rejected some of its rows. */
async function amendClaim(
  client: pg.Client,
  runId: string,
  place: BatchPlace,
  account: BatchAccount & { readonly childRows: number },
): Promise<void> {
  await client.query(amendStatement(runId, place, account));
}

function amendStatement(
  runId: string,
  { rangeNo, number }: BatchPlace,
  { copied, deadLettered, childRows, addedRows }: BatchAccount & { readonly childRows: number },
): string {
  return `UPDATE mongo2pg.batches
      SET copied = ${copied}, dead_lettered = ${deadLettered}, child_rows = ${childRows}, added_rows = ${addedRows}
    WHERE run_id = ${runId} AND range_no = ${rangeNo} AND batch = ${number}`;
}

/** The counts of a batch that an earlier delivery has committed. */
async function readAccount(client: pg.Client, runId: string, place: BatchPlace): Promise<BatchAccount> {
  const { rows } = await client.query<BatchAccount>(
    `SELECT documents AS "documentCount", copied, dead_lettered AS "deadLettered", dropped,
            added_rows AS "addedRows"
       FROM mongo2pg.batches WHERE run_id = $1 AND range_no = $2 AND batch = $3`,
    [runId, place.rangeNo, place.number],
  );
  const row = rows[0];
  if (row === undefined) {
    throw new Error(`the ledger refused batch ${batchKey(place)} as a duplicate, and does not have it`);
  }
  return row;
}
