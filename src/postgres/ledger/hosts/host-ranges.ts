/**
 * Ranges that several hosts share. A waiting range has no owner, and a job in the queue. Each operation checks the range's epoch
 * or raises it, and so does the transaction of each batch: a host that was declared dead can commit nothing.
 */

import type pg from 'pg';
import type { Range } from '../../../source/page.ts';
import { asBuffer } from '../../connection/bytea.ts';
import { endOrphanedSessionsDuring } from '../../connection/orphaned-sessions.ts';
import { inOneTrip } from '../../connection/one-trip.ts';
import { runStatements } from '../../connection/several-statements.ts';
import { commitSynchronously, synchronousPart } from '../../connection/synchronous-commit.ts';
import { SupersededError } from '../leadership.ts';
import { closeRanges, cutRange, openRanges, readGaps } from '../ranges.ts';
import type { RangeEnd, RangesLeft } from './host-range-queue.ts';
import { queueOfRun, type HostWork } from './host-work.ts';
import type { RangeJobs } from './range-jobs.ts';

/** Two hosts must not number new ranges alike. Locked before ranges, as everywhere, so that there are no deadlocks. */
async function lockRun(client: pg.Client, runId: string): Promise<void> {
  await client.query('SELECT FROM mongo2pg.runs WHERE run_id = $1 FOR UPDATE', [runId]);
}

/**
 * Begins the transaction in which a host takes ranges, in one round trip. Declaring the host dead waits until it ends, and then sees
 * what it took.
 * @param countWaiting a query, without parameters, for the number of waiting ranges
 * @returns how many of them the host may take at a time: half of an even share, so that every host has work, and all end together
 * @throws SupersededError
 */
export async function beginTaking(client: pg.Client, hostId: string, countWaiting: string): Promise<number> {
  const [, , member, share] = await runStatements<{ share: number }>(
    client,
    `BEGIN; SET LOCAL synchronous_commit = on;
     SELECT FROM mongo2pg.hosts WHERE host_id = ${hostId} AND left_at IS NULL FOR KEY SHARE;
     SELECT ceil((${countWaiting}) / (2.0 * count(*)))::int AS share
       FROM mongo2pg.hosts h JOIN mongo2pg.hosts own USING (source_db, table_schema, selection)
      WHERE own.host_id = ${hostId} AND h.left_at IS NULL`,
  );
  if (member?.rowCount !== 1) throw new SupersededError();
  return Math.max(1, share?.rows[0]?.share ?? 1);
}

/**
 * To be called in the transaction of `beginTaking`.
 * @returns at most `count` waiting ranges, which the host now owns
 */
export async function takeRanges(
  client: pg.Client,
  { jobs, hostId }: Pick<HostWork, 'jobs' | 'hostId'>,
  runId: string,
  count: number,
): Promise<Range[]> {
  return await takeWaiting(client, jobs, queueOfRun(runId), count, async (rangeNos) => {
    const { rows } = await client.query<Range>(
      `UPDATE mongo2pg.ranges r SET host_id = $3, epoch = epoch + 1
        WHERE run_id = $1 AND range_no = ANY ($2) AND closed_at IS NULL AND read_at IS NULL AND host_id IS NULL
        RETURNING range_no AS "rangeNo", epoch, after_id AS after, until_id AS until`,
      [runId, rangeNos, hostId],
    );
    return rows;
  });
}

/**
 * Takes jobs from a queue until `count` of them are for ranges that still wait, or none is left.
 * @param own makes the host the owner of those that still wait, and returns them
 */
export async function takeWaiting(
  client: pg.Client,
  jobs: RangeJobs,
  queue: string,
  count: number,
  own: (rangeNos: readonly number[]) => Promise<Range[]>,
): Promise<Range[]> {
  const ranges: Range[] = [];
  for (;;) {
    const wanted = count - ranges.length;
    const taken = await jobs.take(client, queue, wanted);
    if (taken.length > 0) {
      const [, owned] = await inOneTrip(
        client,
        () => jobs.delete(client, queue, taken),
        () => own(taken.map(({ rangeNo }) => rangeNo)),
      );
      ranges.push(...owned);
    }
    if (taken.length < wanted || ranges.length === count) return ranges;
  }
}

/** Declaring the host dead waits until this transaction ends, and then sees what it took. @throws SupersededError */
export async function requireMember(client: pg.Client, hostId: string): Promise<void> {
  const { rowCount } = await client.query(
    'SELECT FROM mongo2pg.hosts WHERE host_id = $1 AND left_at IS NULL FOR KEY SHARE',
    [hostId],
  );
  if (rowCount === 0) throw new SupersededError();
}

/** Ranges that the host owns without knowing it, since the answer to its take was lost. */
export async function findUnknownRanges(
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

/** Like `splitRange`, but checks the range's owner and not the run's leader. To be called in a transaction. @throws SupersededError */
export async function splitHostRange(
  client: pg.Client,
  runId: string,
  hostId: string,
  range: Range,
  cut: Uint8Array,
): Promise<Range> {
  await commitSynchronously(client);
  await lockRun(client, runId);
  const rest = await cutRange(client, runId, range, cut, hostId);
  if (rest === null) throw new SupersededError();
  return rest;
}

/**
 * Records that a range was read to its end, and that all its batches were acked. The commit is synchronous, and so flushes these
 * batches too: the range is not checked again before the end of the copy.
 * @throws SupersededError
 */
export async function finishHostRange(
  client: pg.Client,
  runId: string,
  { rangeNo, epoch }: Pick<Range, 'rangeNo' | 'epoch'>,
  { last, documents }: RangeEnd,
): Promise<void> {
  const { rowCount } = await client.query(
    `WITH ${synchronousPart}
     UPDATE mongo2pg.ranges SET last_id = $4, read_at = now(), documents = $5 FROM synchronous
      WHERE run_id = $1 AND range_no = $2 AND epoch = $3 AND closed_at IS NULL`,
    [runId, rangeNo, epoch, asBuffer(last), documents],
  );
  if (rowCount === 0) throw new SupersededError();
}

/**
 * Releases the unread ranges of a host to the others: each is closed, and a waiting range is opened for each of its gaps.
 * To be called in a transaction. Waits for the batches in flight; if that takes long, their sessions are ended.
 * @returns the number of ranges opened
 */
export async function releaseCopyRanges(client: pg.Client, jobs: RangeJobs, hostId: string): Promise<number> {
  await commitSynchronously(client);
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
  await jobs.enqueue(client, queueOfRun(runId), ranges);
  return ranges.length;
}

/**
 * For a leader that resumes a run: ranges that are read, or owned by living hosts, are kept. All others are closed, and a waiting
 * range is opened for each of their gaps. To be called in a transaction.
 * @returns the number of ranges opened
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

/** A query for the number of ranges of a run that wait for a host. */
export function countWaitingRanges(runId: string): string {
  return `SELECT count(*) FROM mongo2pg.ranges
           WHERE run_id = ${runId} AND closed_at IS NULL AND read_at IS NULL AND host_id IS NULL`;
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
 * How many documents all hosts have read for a run. For a range that was read to its end, this is the reader's count; for any
 * other range, it is the sum of its committed batches.
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
