/** The ledger's dead letters: documents that could not become rows, kept whole. */

import pg from 'pg';
import type { LetterCount } from '../../observe/summary.ts';
import type { BatchPlace } from '../../source/page.ts';
import { describeId } from '../../bson/json/describe-id.ts';
import { hashDocument } from '../../bson/document-hash.ts';
import { byteaLiteral } from '../connection/bytea.ts';
import type { DeadLetter } from '../../transcode/row.ts';

/** A dead letter of the transcoder, or of a row that Postgres rejected. */
export interface LedgerLetter extends Omit<DeadLetter, 'reason'> {
  readonly reason: DeadLetter['reason'] | 'refused' | 'worker_died';
  /** The SQLSTATE, if Postgres refused the row. */
  readonly code: string | null;
}

export async function insertDeadLetters(
  client: pg.Client,
  place: BatchPlace & { readonly runId: string; readonly collection: string },
  letters: readonly LedgerLetter[],
): Promise<void> {
  if (letters.length === 0) return;
  await client.query(
    `INSERT INTO mongo2pg.dead_letters (${columns})
     SELECT $1, $2, $3, $4, * FROM unnest($5::int[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::bytea[])`,
    [
      place.runId,
      place.rangeNo,
      place.number,
      place.collection,
      letters.map(({ ordinal }) => ordinal),
      letters.map(({ id }) => id),
      letters.map(({ reason }) => reason),
      letters.map(({ code }) => code),
      letters.map(({ column }) => column),
      letters.map(({ detail }) => detail),
      letters.map(({ document }) => document),
    ],
  );
}

/** The same as a statement without parameters, which is longer: documents are in hexadecimal. */
export function lettersStatement(
  place: BatchPlace & { readonly runId: string; readonly collection: string },
  letters: readonly LedgerLetter[],
): string {
  const text = (value: string | null): string => (value === null ? 'NULL' : pg.escapeLiteral(value));
  const { runId, rangeNo, number, collection } = place;
  const rows = letters.map(({ ordinal, id, reason, code, column, detail, document }) => {
    const values = [text(id), text(reason), text(code), text(column), text(detail), byteaLiteral(document)];
    return `(${runId}, ${rangeNo}, ${number}, ${text(collection)}, ${ordinal}, ${values.join(', ')})`;
  });
  return `INSERT INTO mongo2pg.dead_letters (${columns}) VALUES ${rows.join(', ')}`;
}

const columns =
  'run_id, range_no, batch, collection, ordinal, document_id, reason, code, column_name, detail, document';

/** Identifies a dead letter: by its `_id` as text, or by its hash if the `_id` has no text. */
export interface DocumentName {
  readonly id: string | null;
  readonly documentHash: string | null;
}

export function nameDocument(document: Uint8Array): DocumentName {
  const id = describeId(document);
  return { id, documentHash: id === null ? hashDocument(document) : null };
}

/** Whether each document is among the run's dead letters. */
export async function findLetters(
  client: pg.Client,
  runId: string,
  names: readonly DocumentName[],
): Promise<boolean[]> {
  if (names.length === 0) return [];
  const ids = names.flatMap(({ id }) => id ?? []);
  const hashes = names.flatMap(({ id, documentHash }) => (id === null ? (documentHash ?? []) : []));
  const { rows } = await client.query<{ name: string }>(
    `SELECT 'id ' || document_id AS name FROM mongo2pg.dead_letters WHERE run_id = $1 AND document_id = ANY ($2)
      UNION ALL
     SELECT 'hash ' || encode(sha256(document), 'base64') FROM mongo2pg.dead_letters
      WHERE run_id = $1 AND document_id IS NULL AND $4 AND encode(sha256(document), 'base64') = ANY ($3)`,
    [runId, ids, hashes, hashes.length > 0],
  );
  const letters = new Set(rows.map(({ name }) => name));
  return names.map(({ id, documentHash }) =>
    letters.has(id === null ? `hash ${documentHash ?? ''}` : `id ${id}`),
  );
}

/** All of a run, whichever process has committed them. */
export async function countAllDeadLetters(client: pg.Client, runId: string): Promise<number> {
  const { rows } = await client.query<{ count: string }>(
    'SELECT count(*) FROM mongo2pg.dead_letters WHERE run_id = $1',
    [runId],
  );
  return Number(rows[0]?.count);
}

/** Reasons of a run's dead letters, the most frequent first. */
export async function countDeadLetters(client: pg.Client, runId: string): Promise<LetterCount[]> {
  const { rows } = await client.query<Omit<LetterCount, 'count'> & { count: string }>(
    `SELECT reason, code, count(*) AS count, min(detail) AS example FROM mongo2pg.dead_letters
      WHERE run_id = $1 GROUP BY reason, code ORDER BY count(*) DESC, reason, code`,
    [runId],
  );
  return rows.map((row) => ({ ...row, count: Number(row.count) }));
}
