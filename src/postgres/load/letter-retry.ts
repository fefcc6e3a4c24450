/** Loads the dead letters of a run again, after the table was fixed, and removes those that became rows. */

import type pg from 'pg';
import type { Plan } from '../../transcode/plan.ts';
import { arrayOfDocuments } from '../../bson/array.ts';
import { createRowEncoder } from '../../transcode/row.ts';
import type { ExtraCount } from '../../transcode/extra-counter.ts';
import type { LedgerLetter } from '../ledger/dead-letters.ts';
import { rowOfBatch } from '../ledger/fold.ts';
import type { Session } from '../connection/session.ts';
import { countChildRows, listLetters, sourceOf, withCodes, type LoadableBatch } from './loadable-batch.ts';
import type { BatchTransform } from '../../transcode/transform/batch-transform.ts';
import { openBatchTransform } from '../../transcode/transform/open-batch-transform.ts';
import { loadRowByRow } from './row-by-row.ts';
import { encodeResults } from './transformed-batch.ts';

/** How many letters, and how many bytes of them, are loaded in one transaction; at least one letter. */
const maxLetters = 1_000;
const maxBytes = 16_000_000;

/** The place of a dead letter in the ledger. */
interface Place {
  readonly rangeNo: number;
  readonly batch: string;
  readonly ordinal: number;
}

/** A document that is no longer a dead letter. */
interface Loaded extends Place {
  /** How many rows it has become; 0 if the transform drops it. */
  readonly rows: number;
}

interface RetriedRun {
  readonly runId: string;
  readonly plan: Plan;
  readonly transform: BatchTransform | null;
}

export interface RetryOutcome {
  readonly loaded: number;
  readonly left: number;
}

/** @throws TargetError, or the errors of pg; what was committed before stays committed */
export async function retryLetters(
  session: Session,
  runId: string,
  plan: Plan,
  signal: AbortSignal,
): Promise<RetryOutcome> {
  let loaded = 0;
  let left = 0;
  const transform = await openBatchTransform(plan);
  // Documents that crashed workers come last, one at a time: if one crashes this process, all others are committed.
  for (const isDeadly of [false, true]) {
    for (let after: Place | null = { rangeNo: 0, batch: '0', ordinal: -1 }; after !== null;) {
      signal.throwIfAborted();
      const from: Place = after;
      const places = await session.run((client) => listPlaces(client, runId, from, isDeadly));
      const refused = await session.transaction((client) =>
        retryPlaces(client, { runId, plan, transform }, places),
      );
      loaded += places.length - refused;
      left += refused;
      after = places.at(-1) ?? null;
    }
  }
  return { loaded, left };
}

async function listPlaces(
  client: pg.Client,
  runId: string,
  after: Place,
  isDeadly: boolean,
): Promise<Place[]> {
  const { rows } = await client.query<Place & { bytes: string }>(
    `SELECT range_no AS "rangeNo", batch, ordinal,
            sum(octet_length(document)) OVER (ORDER BY range_no, batch, ordinal) AS bytes
       FROM mongo2pg.dead_letters
      WHERE run_id = $1 AND (range_no, batch, ordinal) > ($2, $3, $4) AND (reason = 'worker_died') = $5
      ORDER BY range_no, batch, ordinal LIMIT $6`,
    [runId, after.rangeNo, after.batch, after.ordinal, isDeadly, isDeadly ? 1 : maxLetters],
  );
  return rows.filter(({ bytes }, index) => index === 0 || Number(bytes) <= maxBytes);
}

/** @returns how many were rejected again */
async function retryPlaces(
  client: pg.Client,
  { runId, plan, transform }: RetriedRun,
  places: readonly Place[],
): Promise<number> {
  if (places.length === 0) return 0;
  const array = arrayOfDocuments(await readDocuments(client, runId, places));
  const encoder = createRowEncoder(plan);
  const encoded =
    transform === null
      ? withCodes(encoder.encodeBatch(array))
      : await encodeResults(encoder, transform, array);
  const refused = new Map<number, Omit<LedgerLetter, 'ordinal' | 'document' | 'id'>>();
  for (const letter of listLetters(encoded)) refused.set(letter.ordinal, letter);
  const refusals = encoded.rowCount === 0 ? [] : await loadRowByRow(client, { runId, plan }, encoded);
  for (const refusal of refusals) {
    const ordinal = sourceOf(encoded, refusal.ordinal);
    if (!refused.has(ordinal)) refused.set(ordinal, { ...refusal, reason: 'refused' });
  }
  for (const [index, letter] of refused) {
    const place = places[index];
    if (place !== undefined) await updateLetter(client, runId, place, letter);
  }
  await takeOut(client, runId, listLoaded(encoded, places, refused));
  await countExtra(client, runId, places[0], encoded.extra);
  await countChildren(
    client,
    runId,
    places[0],
    countChildRows(encoded, [...encoded.deadLetters, ...refusals]),
  );
  return refused.size;
}

/** The places of documents that are no longer dead letters, with their results. */
function listLoaded(
  encoded: LoadableBatch,
  places: readonly Place[],
  refused: ReadonlyMap<number, unknown>,
): Loaded[] {
  const rows = new Map<number, number>();
  for (const ordinal of encoded.sources?.ofRows ?? []) rows.set(ordinal, (rows.get(ordinal) ?? 0) + 1);
  const countRows = (index: number): number => (encoded.sources === undefined ? 1 : (rows.get(index) ?? 0));
  return places.flatMap((place, index) => (refused.has(index) ? [] : [{ ...place, rows: countRows(index) }]));
}

async function readDocuments(client: pg.Client, runId: string, places: readonly Place[]): Promise<Buffer[]> {
  const { rows } = await client.query<{ document: Buffer }>(
    `SELECT document FROM mongo2pg.dead_letters d
       JOIN unnest($2::int[], $3::bigint[], $4::int[]) AS p(range_no, batch, ordinal) USING (range_no, batch, ordinal)
      WHERE run_id = $1 ORDER BY range_no, batch, ordinal FOR UPDATE OF d`,
    [runId, ...columnsOf(places)],
  );
  return rows.map(({ document }) => document);
}

async function updateLetter(
  client: pg.Client,
  runId: string,
  { rangeNo, batch, ordinal }: Place,
  { reason, code, column, detail }: Omit<LedgerLetter, 'ordinal' | 'document' | 'id'>,
): Promise<void> {
  await client.query(
    `UPDATE mongo2pg.dead_letters SET reason = $5, code = $6, column_name = $7, detail = $8
      WHERE run_id = $1 AND range_no = $2 AND batch = $3 AND ordinal = $4`,
    [runId, rangeNo, batch, ordinal, reason, code, column, detail],
  );
}

/** Keeps the counts of each batch correct. */
async function takeOut(client: pg.Client, runId: string, loaded: readonly Loaded[]): Promise<void> {
  if (loaded.length === 0) return;
  await client.query(
    `WITH gone AS (
       DELETE FROM mongo2pg.dead_letters d
        USING unnest($2::int[], $3::bigint[], $4::int[], $5::int[]) AS p(range_no, batch, ordinal, rows)
        WHERE d.run_id = $1 AND d.range_no = p.range_no AND d.batch = p.batch AND d.ordinal = p.ordinal
        RETURNING d.range_no, d.batch, p.rows),
     counts AS (
       SELECT range_no, ${rowOfBatch('$1', 'gone.range_no', 'gone.batch')} AS batch, count(*)::int AS count, (count(*) FILTER (WHERE rows = 0))::int AS dropped,
              sum(greatest(rows - 1, 0))::int AS added
         FROM gone GROUP BY 1, 2)
     UPDATE mongo2pg.batches b
        SET copied = b.copied + count - counts.dropped, dead_lettered = dead_lettered - count,
            dropped = b.dropped + counts.dropped, added_rows = added_rows + added
       FROM counts WHERE b.run_id = $1 AND b.range_no = counts.range_no AND b.batch = counts.batch`,
    [runId, ...columnsOf(loaded), loaded.map(({ rows }) => rows)],
  );
}

/** Only the sum per run is shown, so any batch can hold the counts. */
async function countExtra(
  client: pg.Client,
  runId: string,
  place: Place | undefined,
  extra: readonly ExtraCount[],
): Promise<void> {
  if (place === undefined || extra.length === 0) return;
  await client.query(
    `UPDATE mongo2pg.batches SET extra = coalesce(extra, '[]') || $4::jsonb
      WHERE run_id = $1 AND range_no = $2 AND batch = ${rowOfBatch('$1', '$2', '$3')}`,
    [runId, place.rangeNo, place.batch, JSON.stringify(extra)],
  );
}

async function countChildren(
  client: pg.Client,
  runId: string,
  place: Place | undefined,
  rows: number,
): Promise<void> {
  if (place === undefined || rows === 0) return;
  await client.query(
    `UPDATE mongo2pg.batches SET child_rows = child_rows + $4
      WHERE run_id = $1 AND range_no = $2 AND batch = ${rowOfBatch('$1', '$2', '$3')}`,
    [runId, place.rangeNo, place.batch, rows],
  );
}

function columnsOf(places: readonly Place[]): [number[], string[], number[]] {
  return [
    places.map(({ rangeNo }) => rangeNo),
    places.map(({ batch }) => batch),
    places.map(({ ordinal }) => ordinal),
  ];
}
