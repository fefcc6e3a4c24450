/**
 * Ranges that several hosts share. One that waits has no owner, and a job in the queue. Taking it, splitting it and ending it
 * check or raise its epoch, as the transaction of each batch does: a host that was taken for dead commits nothing.
 */

import type pg from 'pg';
import type { Range } from '../../../source/page.ts';
import { asBuffer } from '../../connection/bytea.ts';
import { endOrphanedSessionsDuring } from '../../connection/orphaned-sessions.ts';
import { OvertakenError } from '../lead.ts';
import { closeRanges, cutRange, openRanges, readGaps } from '../ranges.ts';
import type { RangeJobs } from './range-jobs.ts';

/** Two hosts must not give the same number to two ranges. Locks of ranges come after it, as everywhere. */
async function lockRun(client: pg.Client, runId: string): Promise<void> {
  await client.query('SELECT FROM mongo2pg.runs WHERE run_id = $1 FOR UPDATE', [runId]);
}

/** What a host has taken is on disk before it reads: a crash must not make it wait for somebody again. */
async function waitForDisk(client: pg.Client): Promise<void> {
  await client.query('SET LOCAL synchronous_commit = on');
}

/**
 * To be called in a transaction.
 * @returns a range that waited, and is the host's now; null when none waits
 * @throws OvertakenError
 */
export async function takeRange(
  client: pg.Client,
  jobs: RangeJobs,
  runId: string,
  hostId: string,
): Promise<Range | null> {
  await waitForDisk(client);
  await requireTakingPart(client, hostId);
  for (;;) {
    const job = await jobs.take(client, runId);
    if (job === null) return null;
    await jobs.throwAway(client, runId, job);
    const { rows } = await client.query<Range>(
      `UPDATE mongo2pg.ranges r SET host_id = $3, epoch = epoch + 1
        WHERE run_id = $1 AND range_no = $2 AND closed_at IS NULL AND read_at IS NULL AND host_id IS NULL
        RETURNING range_no AS "rangeNo", epoch, after_id AS after, until_id AS until`,
      [runId, job.rangeNo, hostId],
    );
    if (rows[0] !== undefined) return rows[0];
  }
}

/** Whoever takes the host for dead waits until the end of the transaction, and then sees what it has taken. @throws OvertakenError */
async function requireTakingPart(client: pg.Client, hostId: string): Promise<void> {
  const { rowCount } = await client.query(
    'SELECT FROM mongo2pg.hosts WHERE host_id = $1 AND left_at IS NULL FOR KEY SHARE',
    [hostId],
  );
  if (rowCount === 0) throw new OvertakenError();
}

/** Ranges that the host has by the ledger, and does not know of: the answer to its taking them was lost. */
export async function findStrays(
  client: pg.Client,
  runId: string,
  hostId: string,
  known: readonly number[],
): Promise<Range[]> {
  const { rows } = await client.query<Range>(
    `SELECT range_no AS "rangeNo", epoch, after_id AS after, until_id AS until FROM mongo2pg.ranges
      WHERE run_id = $1 AND host_id = $2 AND closed_at IS NULL AND read_at IS NULL AND range_no <> ALL ($3)`,
    [runId, hostId, known],
  );
  return rows;
}

/** Like `splitRange`, by the range's owner, whoever leads. To be called in a transaction. @throws OvertakenError */
export async function splitHostRange(
  client: pg.Client,
  runId: string,
  hostId: string,
  range: Range,
  cut: Uint8Array,
): Promise<Range> {
  await waitForDisk(client);
  await lockRun(client, runId);
  const rest = await cutRange(client, runId, range, cut, hostId);
  if (rest === null) throw new OvertakenError();
  return rest;
}

/**
 * Writes down that a range was read to its end, and that all its batches were acked. Waits for the disk, and so for that of all these
 * batches: nobody looks at the range again before the end of the copy.
 * @throws OvertakenError
 */
export async function finishHostRange(
  client: pg.Client,
  runId: string,
  { rangeNo, epoch }: Pick<Range, 'rangeNo' | 'epoch'>,
  { last, documents }: { readonly last: Uint8Array | null; readonly documents: number },
): Promise<void> {
  await waitForDisk(client);
  const { rowCount } = await client.query(
    `UPDATE mongo2pg.ranges SET last_id = $4, read_at = now(), documents = $5
      WHERE run_id = $1 AND range_no = $2 AND epoch = $3 AND closed_at IS NULL`,
    [runId, rangeNo, epoch, asBuffer(last), documents],
  );
  if (rowCount === 0) throw new OvertakenError();
}

/**
 * Gives what a host has not read to whoever takes it: each such range is closed, and one is opened for each of its gaps.
 * To be called in a transaction. Waits for the batches under way, whose sessions are ended when that lasts.
 * @returns how many ranges wait for it
 */
export async function handOver(client: pg.Client, jobs: RangeJobs, hostId: string): Promise<number> {
  await waitForDisk(client);
  const { rows: runs } = await client.query<{ runId: string }>(
    `SELECT DISTINCT run_id AS "runId" FROM mongo2pg.ranges
      WHERE host_id = $1 AND closed_at IS NULL AND read_at IS NULL ORDER BY 1`,
    [hostId],
  );
  let opened = 0;
  for (const { runId } of runs) {
    let rangeNos: number[] = [];
    await endOrphanedSessionsDuring(client, `ranges of run ${runId} in the schema mongo2pg`, async () => {
      await lockRun(client, runId);
      const { rows } = await client.query<{ rangeNo: number }>(
        `SELECT range_no AS "rangeNo" FROM mongo2pg.ranges
          WHERE run_id = $1 AND host_id = $2 AND closed_at IS NULL AND read_at IS NULL ORDER BY range_no FOR UPDATE`,
        [runId, hostId],
      );
      rangeNos = rows.map(({ rangeNo }) => rangeNo);
    });
    opened += await replaceByGaps(client, jobs, runId, rangeNos);
  }
  return opened;
}

async function replaceByGaps(
  client: pg.Client,
  jobs: RangeJobs,
  runId: string,
  rangeNos: readonly number[],
): Promise<number> {
  const gaps = await readGaps(client, runId, false, rangeNos);
  await closeRanges(client, runId, rangeNos);
  const ranges = await openRanges(client, runId, gaps);
  await jobs.enqueue(client, runId, ranges);
  return ranges.length;
}

/**
 * For a lead that goes on with a run: ranges that hosts have read, or that living ones have, stay as they are; all others are
 * closed, and their gaps wait in the queue. To be called in a transaction.
 * @returns how many gaps there are
 */
export async function continueHostRanges(client: pg.Client, jobs: RangeJobs, runId: string): Promise<number> {
  let rangeNos: number[] = [];
  await endOrphanedSessionsDuring(client, `ranges of run ${runId} in the schema mongo2pg`, async () => {
    await lockRun(client, runId);
    const { rows } = await client.query<{ rangeNo: number }>(
      `SELECT range_no AS "rangeNo" FROM mongo2pg.ranges r
        WHERE run_id = $1 AND closed_at IS NULL
          AND (host_id IS NULL OR (read_at IS NULL AND NOT EXISTS (
            SELECT FROM mongo2pg.hosts h WHERE h.host_id = r.host_id AND h.left_at IS NULL)))
        ORDER BY range_no FOR UPDATE`,
      [runId],
    );
    rangeNos = rows.map(({ rangeNo }) => rangeNo);
  });
  return await replaceByGaps(client, jobs, runId, rangeNos);
}

/** How the ranges of a run stand. */
export interface RangesLeft {
  /** Nobody has read them to their end. */
  readonly unread: number;
  /** Of these, nobody has taken them. */
  readonly waiting: number;
}

export async function countRangesLeft(client: pg.Client, runId: string): Promise<RangesLeft> {
  const { rows } = await client.query<RangesLeft>(
    `SELECT count(*)::int AS unread, (count(*) FILTER (WHERE host_id IS NULL))::int AS waiting
       FROM mongo2pg.ranges WHERE run_id = $1 AND closed_at IS NULL AND read_at IS NULL`,
    [runId],
  );
  return rows[0] ?? { unread: 0, waiting: 0 };
}

/**
 * How many documents all readers of a run have read: by their own count where they came to the end of a range, and else by the
 * batches that are committed of it.
 */
export async function countRead(client: pg.Client, runId: string): Promise<number> {
  const { rows } = await client.query<{ read: string }>(
    `SELECT coalesce(sum(CASE WHEN r.closed_at IS NULL AND r.documents IS NOT NULL THEN r.documents
                              ELSE (SELECT coalesce(sum(b.documents), 0) FROM mongo2pg.batches b
                                     WHERE b.run_id = r.run_id AND b.range_no = r.range_no) END), 0) AS read
       FROM mongo2pg.ranges r WHERE r.run_id = $1`,
    [runId],
  );
  return Number(rows[0]?.read);
}
