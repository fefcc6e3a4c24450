/**
 * The ledger's rows of verifications by several hosts, one for each collection, with their ranges.
 *
 * A range:   waiting (a job in the queue) ──takeRange()──→ owned by a host ──finishRange()──→ compared, with its result
 *                ↑__ released: the host left, or was declared dead __|
 * Invariants
 * - a range is compared as a whole, and its result written once: a host that takes a released range starts it from scratch, so that
 *   each document is in one result;
 * - the epoch rises when a range is taken and when it is released: the result of an earlier owner is refused.
 */

import type pg from 'pg';
import type { Interval, Range } from '../../../source/page.ts';
import { Tally, type TallyRecord } from '../../compare/tally.ts';
import { asBuffer } from '../../connection/bytea.ts';
import { SupersededError } from '../leadership.ts';
import type { RangesLeft } from './host-range-queue.ts';
import { commitSynchronously, synchronousPart } from '../../connection/synchronous-commit.ts';
import { takeWaiting } from './host-ranges.ts';
import type { HostWork } from './host-work.ts';
import { ofKey, requireLeading, thatLeads, valuesOf, type HostsKey } from './hosts.ts';
import type { RangeJobs } from './range-jobs.ts';

export interface HostVerification {
  readonly verificationId: string;
  readonly runId: string;
  /** Identity of the collection that the leader compares; null if the server has none. */
  readonly collectionId: string | null;
}

function queueOf(verificationId: string): string {
  return `verification-${verificationId}`;
}

const columns = `verification_id AS "verificationId", run_id AS "runId", collection_id AS "collectionId"`;

/**
 * Forgets the verifications of an earlier start: what was equal then need not be equal now. To be called in a transaction.
 * @throws SupersededError if the host does not lead
 */
export async function forgetVerifications(
  client: pg.Client,
  { jobs, hostId }: HostWork,
  key: HostsKey,
): Promise<void> {
  await requireLeading(client, hostId);
  const { rows } = await client.query<{ verificationId: string }>(
    `DELETE FROM mongo2pg.host_verifications WHERE ${ofKey} RETURNING verification_id AS "verificationId"`,
    valuesOf(key),
  );
  for (const { verificationId } of rows) await jobs.close(client, queueOf(verificationId));
}

/**
 * Resumes the verification of a run that an earlier leader of the same start has begun. To be called in a transaction.
 * @returns null if none has
 */
export async function resumeVerification(
  client: pg.Client,
  { hostId }: HostWork,
  key: HostsKey,
  { runId, collectionId }: Omit<HostVerification, 'verificationId'>,
): Promise<HostVerification | null> {
  await requireLeading(client, hostId);
  const { rows } = await client.query<HostVerification>(
    `UPDATE mongo2pg.host_verifications SET closed_at = NULL
      WHERE ${ofKey} AND run_id = $4 AND collection_id IS NOT DISTINCT FROM $5 RETURNING ${columns}`,
    [...valuesOf(key), runId, collectionId],
  );
  return rows[0] ?? null;
}

/**
 * Begins the verification of a run. To be called in a transaction; can be repeated if it is unknown whether that was committed.
 * @param intervals together they cover the whole collection
 */
export async function beginVerification(
  client: pg.Client,
  { jobs, hostId }: HostWork,
  key: HostsKey,
  { runId, collectionId }: Omit<HostVerification, 'verificationId'>,
  intervals: readonly Interval[],
): Promise<HostVerification> {
  await commitSynchronously(client);
  await requireLeading(client, hostId);
  // Also of a collection that was replaced since an earlier leader began to compare it.
  const { rows: former } = await client.query<{ verificationId: string }>(
    `DELETE FROM mongo2pg.host_verifications WHERE ${ofKey} AND run_id = $4 RETURNING verification_id AS "verificationId"`,
    [...valuesOf(key), runId],
  );
  for (const { verificationId } of former) await jobs.close(client, queueOf(verificationId));
  const { rows } = await client.query<HostVerification>(
    `INSERT INTO mongo2pg.host_verifications (source_db, table_schema, selection, run_id, collection_id)
     VALUES ($1, $2, $3, $4, $5) RETURNING ${columns}`,
    [...valuesOf(key), runId, collectionId],
  );
  const verification = rows[0];
  if (verification === undefined) throw new Error('INSERT … RETURNING gave no row');
  const { verificationId } = verification;
  const ranges = intervals.map((interval, index) => ({ ...interval, rangeNo: index + 1 }));
  await client.query(
    `INSERT INTO mongo2pg.host_verification_ranges (verification_id, range_no, after_id, until_id)
     SELECT $1, * FROM unnest($2::int[], $3::bytea[], $4::bytea[])`,
    [
      verificationId,
      ranges.map(({ rangeNo }) => rangeNo),
      ranges.map(({ after }) => asBuffer(after)),
      ranges.map(({ until }) => asBuffer(until)),
    ],
  );
  await jobs.enqueue(client, queueOf(verificationId), ranges);
  return verification;
}

/** Other hosts stop comparing it. To be called in a transaction. Does nothing if the host does not lead any more. */
export async function closeVerification(
  client: pg.Client,
  { jobs, hostId }: HostWork,
  verificationId: string,
): Promise<void> {
  const { rowCount } = await client.query(
    `UPDATE mongo2pg.host_verifications SET closed_at = clock_timestamp()
      WHERE verification_id = $1 AND ${thatLeads('$2')}`,
    [verificationId, hostId],
  );
  if (rowCount === 0) return;
  // What was not compared waits there for a leader that resumes it.
  const { unread } = await countVerificationRangesLeft(client, verificationId);
  if (unread === 0) await jobs.close(client, queueOf(verificationId));
}

/** Whether the leader has given it up, or restarted it. */
export async function isVerificationGivenUp(client: pg.Client, verificationId: string): Promise<boolean> {
  const { rowCount } = await client.query(
    `SELECT FROM mongo2pg.host_verifications v
      WHERE verification_id = $1
        AND (closed_at IS NULL OR NOT EXISTS (SELECT FROM mongo2pg.host_verification_ranges r
                                               WHERE r.verification_id = v.verification_id AND r.compared_at IS NULL))`,
    [verificationId],
  );
  return rowCount === 0;
}

/** A verification of the key that has a waiting range. */
export async function findSharedVerification(
  client: pg.Client,
  key: HostsKey,
): Promise<HostVerification | null> {
  const { rows } = await client.query<HostVerification>(
    `SELECT ${columns} FROM mongo2pg.host_verifications v
      WHERE ${ofKey} AND closed_at IS NULL
        AND EXISTS (SELECT FROM mongo2pg.host_verification_ranges r WHERE r.verification_id = v.verification_id
                                                                     AND r.compared_at IS NULL AND r.host_id IS NULL)
      ORDER BY verification_id LIMIT 1`,
    valuesOf(key),
  );
  return rows[0] ?? null;
}

/**
 * To be called in the transaction of `beginTaking`.
 * @returns at most `count` waiting ranges, which the host now owns
 */
export async function takeVerificationRanges(
  client: pg.Client,
  { jobs, hostId }: HostWork,
  verificationId: string,
  count: number,
): Promise<Range[]> {
  return await takeWaiting(client, jobs, queueOf(verificationId), count, async (rangeNos) => {
    const { rows } = await client.query<Range>(
      `UPDATE mongo2pg.host_verification_ranges SET host_id = $3, epoch = epoch + 1
        WHERE verification_id = $1 AND range_no = ANY ($2) AND compared_at IS NULL AND host_id IS NULL
        RETURNING range_no AS "rangeNo", epoch, after_id AS after, until_id AS until`,
      [verificationId, rangeNos, hostId],
    );
    return rows;
  });
}

/** Ranges that the host owns without knowing it, since the answer to its take was lost. */
export async function findUnknownVerificationRanges(
  client: pg.Client,
  { hostId }: HostWork,
  verificationId: string,
  known: readonly number[],
): Promise<Range[]> {
  const { rows } = await client.query<Range>(
    `SELECT range_no AS "rangeNo", epoch, after_id AS after, until_id AS until FROM mongo2pg.host_verification_ranges
      WHERE verification_id = $1 AND host_id = $2 AND compared_at IS NULL AND range_no <> ALL ($3)`,
    [verificationId, hostId, known],
  );
  return rows;
}

/** Records the result of a range. Can be repeated by its owner. @throws SupersededError if it has another owner by now */
export async function finishVerificationRange(
  client: pg.Client,
  verificationId: string,
  { rangeNo, epoch }: Pick<Range, 'rangeNo' | 'epoch'>,
  result: Tally,
): Promise<void> {
  const { rowCount } = await client.query(
    `WITH ${synchronousPart}
     UPDATE mongo2pg.host_verification_ranges SET compared_at = clock_timestamp(), result = $4 FROM synchronous
      WHERE verification_id = $1 AND range_no = $2 AND epoch = $3`,
    [verificationId, rangeNo, epoch, JSON.stringify(result.toRecord())],
  );
  if (rowCount === 0) throw new SupersededError();
}

/**
 * Releases the ranges that a host has and has not compared. To be called in a transaction.
 * @returns the number of ranges released
 */
export async function releaseVerificationRanges(
  client: pg.Client,
  jobs: RangeJobs,
  hostId: string,
): Promise<number> {
  await commitSynchronously(client);
  const { rows } = await client.query<{ verificationId: string; rangeNo: number }>(
    `UPDATE mongo2pg.host_verification_ranges SET host_id = NULL, epoch = epoch + 1
      WHERE host_id = $1 AND compared_at IS NULL
      RETURNING verification_id AS "verificationId", range_no AS "rangeNo"`,
    [hostId],
  );
  for (const { verificationId, rangeNo } of rows) {
    await jobs.enqueue(client, queueOf(verificationId), [{ rangeNo }]);
  }
  return rows.length;
}

/** A query for the number of ranges that wait for a host. */
export function countWaitingVerificationRanges(verificationId: string): string {
  return `SELECT count(*) FROM mongo2pg.host_verification_ranges
           WHERE verification_id = ${verificationId} AND compared_at IS NULL AND host_id IS NULL`;
}

export async function countVerificationRangesLeft(
  client: pg.Client,
  verificationId: string,
): Promise<RangesLeft> {
  const { rows } = await client.query<RangesLeft>(
    `SELECT count(*)::int AS unread, (count(*) FILTER (WHERE host_id IS NULL))::int AS waiting
       FROM mongo2pg.host_verification_ranges WHERE verification_id = $1 AND compared_at IS NULL`,
    [verificationId],
  );
  return rows[0] ?? { unread: 0, waiting: 0 };
}

/** A result may name a hundred differences, with their values. */
const resultsAtATime = 100;

/** The sum of all ranges. @throws SupersededError if not all were compared: another leader has restarted */
export async function readVerificationTally(client: pg.Client, verificationId: string): Promise<Tally> {
  const tally = new Tally();
  let lastNo = 0;
  for (;;) {
    const { rows } = await client.query<{ rangeNo: number; result: TallyRecord | null }>(
      `SELECT range_no AS "rangeNo", result FROM mongo2pg.host_verification_ranges
        WHERE verification_id = $1 AND range_no > $2 ORDER BY range_no LIMIT $3`,
      [verificationId, lastNo, resultsAtATime],
    );
    for (const { rangeNo, result } of rows) {
      if (result === null) throw new SupersededError();
      tally.addTally(Tally.fromRecord(result));
      lastNo = rangeNo;
    }
    if (lastNo === 0) throw new SupersededError();
    if (rows.length < resultsAtATime) return tally;
  }
}
