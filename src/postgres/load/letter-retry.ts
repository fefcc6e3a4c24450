/** Loads dead letters of a run again, after the table was mended, and takes those out that went in. */

import type pg from 'pg';
import type { Plan } from '../../transcode/plan.ts';
import { arrayOfDocuments } from '../../bson/array.ts';
import { createRowEncoder } from '../../transcode/row.ts';
import type { ExtraCount } from '../../transcode/extra-counter.ts';
import type { LedgerLetter } from '../ledger/dead-letters.ts';
import type { Session } from '../connection/session.ts';
import { countChildRows } from './loadable-batch.ts';
import { loadRowByRow } from './row-by-row.ts';

/** How many letters, and how many bytes of them, are loaded in one transaction; a single one always goes. */
const maxLetters = 1_000;
const maxBytes = 16_000_000;

/** Where a dead letter stands in the ledger. */
interface Place {
  readonly rangeNo: number;
  readonly batch: string;
  readonly ordinal: number;
}

export interface RetryOutcome {
  readonly loaded: number;
  readonly left: number;
}

/** @throws TargetError, or the error of Postgres as it is; what was committed until then stays */
export async function retryLetters(
  session: Session,
  runId: string,
  plan: Plan,
  signal: AbortSignal,
): Promise<RetryOutcome> {
  let loaded = 0;
  let left = 0;
  // Those that ended workers come last and alone: what they may end now is this process, and nothing else with it.
  for (const isDeadly of [false, true]) {
    for (let after: Place | null = { rangeNo: 0, batch: '0', ordinal: -1 }; after !== null;) {
      signal.throwIfAborted();
      const from: Place = after;
      const places = await session.run((client) => listPlaces(client, runId, from, isDeadly));
      const refused = await session.transaction((client) => retryPlaces(client, runId, plan, places));
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

/** @returns how many were refused again */
async function retryPlaces(
  client: pg.Client,
  runId: string,
  plan: Plan,
  places: readonly Place[],
): Promise<number> {
  if (places.length === 0) return 0;
  const documents = await readDocuments(client, runId, places);
  const encoded = createRowEncoder(plan).encodeBatch(arrayOfDocuments(documents));
  const refused = new Map<number, Omit<LedgerLetter, 'ordinal' | 'document' | 'id'>>();
  for (const letter of encoded.deadLetters) refused.set(letter.ordinal, { ...letter, code: null });
  const refusals = encoded.rowCount === 0 ? [] : await loadRowByRow(client, { runId, plan }, encoded);
  for (const refusal of refusals) refused.set(refusal.ordinal, { ...refusal, reason: 'refused' });
  for (const [index, letter] of refused) {
    const place = places[index];
    if (place !== undefined) await updateLetter(client, runId, place, letter);
  }
  const loaded = places.filter((_, index) => !refused.has(index));
  await takeOut(client, runId, loaded);
  await countExtra(client, runId, places[0], encoded.extra);
  const letters = [...refused.keys()].map((ordinal) => ({ ordinal }));
  await countChildren(client, runId, places[0], countChildRows(encoded, letters));
  return refused.size;
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

/** The account of each batch keeps telling where its documents are. */
async function takeOut(client: pg.Client, runId: string, loaded: readonly Place[]): Promise<void> {
  if (loaded.length === 0) return;
  await client.query(
    `WITH gone AS (
       DELETE FROM mongo2pg.dead_letters d
        USING unnest($2::int[], $3::bigint[], $4::int[]) AS p(range_no, batch, ordinal)
        WHERE d.run_id = $1 AND d.range_no = p.range_no AND d.batch = p.batch AND d.ordinal = p.ordinal
        RETURNING d.range_no, d.batch),
     counts AS (SELECT range_no, batch, count(*)::int AS count FROM gone GROUP BY range_no, batch)
     UPDATE mongo2pg.batches b SET copied = copied + count, dead_lettered = dead_lettered - count
       FROM counts WHERE b.run_id = $1 AND b.range_no = counts.range_no AND b.batch = counts.batch`,
    [runId, ...columnsOf(loaded)],
  );
}

/** Per run is what people see; which of the batches has it does not matter. */
async function countExtra(
  client: pg.Client,
  runId: string,
  place: Place | undefined,
  extra: readonly ExtraCount[],
): Promise<void> {
  if (place === undefined || extra.length === 0) return;
  await client.query(
    `UPDATE mongo2pg.batches SET extra = coalesce(extra, '[]') || $4::jsonb
      WHERE run_id = $1 AND range_no = $2 AND batch = $3`,
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
      WHERE run_id = $1 AND range_no = $2 AND batch = $3`,
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
