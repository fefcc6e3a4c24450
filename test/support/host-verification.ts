/** What hosts that verify together leave in the ledger, and what their lead reports. */

import assert from 'node:assert/strict';
import type { RunEvent } from '../../src/observe/events.ts';
import { plainPool } from './cli.ts';
import type { Scene } from './fault.ts';
import { eventsOf } from './hosts.ts';

export type Verified = RunEvent & { readonly kind: 'verified' };

/** Where a host is held with its first page of a verification: the ranges that it has not taken wait. */
export const atFirstPage = { 'host-after-compared-page': 'pause@1x*' } as const;

export function verifiedOf({ stdout }: { readonly stdout: string }): Verified[] {
  return eventsOf(stdout).filter((event) => event.kind === 'verified');
}

/** The result without what differs from one reading to the next: pages begin elsewhere, and so have other bytes around them. */
export function resultOf({ totalMs, bytes, differences, ...result }: Verified): object {
  assert.ok(totalMs > 0 && bytes > 0);
  const sorted = [...differences].sort((a, b) => `${a.kind} ${a.id}`.localeCompare(`${b.kind} ${b.id}`));
  return { ...result, differences: sorted };
}

/** The one result of hosts is that of one host, which verifies now, and ends with the same code. */
export async function assertAsAlone(
  scene: Scene,
  led: { readonly stdout: string; readonly code: number | null },
): Promise<void> {
  const [together, ...more] = verifiedOf(led);
  assert.ok(together !== undefined && more.length === 0);
  const alone = await scene.run({ CLUSTER_IMPLEMENTATION: plainPool }, 'verify');
  assert.equal(alone.code, led.code, alone.stderr);
  const [single] = verifiedOf(alone);
  assert.ok(single !== undefined);
  assert.deepEqual(resultOf(together), resultOf(single));
}

interface RangeOfVerification {
  readonly hostId: string | null;
  readonly isCompared: boolean;
  readonly compared: number;
  readonly xmin: string;
}

export async function readRanges(scene: Scene): Promise<RangeOfVerification[]> {
  return await scene.query<RangeOfVerification & Record<string, unknown>>(
    `SELECT host_id AS "hostId", compared_at IS NOT NULL AS "isCompared", coalesce((result->>'compared')::int, 0) AS compared,
            xmin::text FROM mongo2pg.host_verification_ranges ORDER BY verification_id, range_no`,
  );
}

/** The ranges that a host has, and has not compared. */
export async function countHeldBy(scene: Scene, hostId: string): Promise<number> {
  return (await readRanges(scene)).filter((range) => range.hostId === hostId && !range.isCompared).length;
}

/** Each document is in the result of one range, and no range is left. */
export async function assertEachOnce(scene: Scene, documents: number): Promise<void> {
  const ranges = await readRanges(scene);
  assert.ok(ranges.length >= 5 && ranges.every(({ isCompared }) => isCompared), JSON.stringify(ranges));
  assert.equal(
    ranges.reduce((sum, { compared }) => sum + compared, 0),
    documents,
  );
}

/** An `_id` of the tests, which is an int32 below 65,536, out of a position. */
const idIn = (position: string): string => `get_byte(${position}, 9) + get_byte(${position}, 10) * 256`;

/**
 * Changes the row of the last document of each range that a host has, which is compared last. The last range has no end.
 * @returns how many
 */
export async function spoilRangesOf(scene: Scene, hostId: string): Promise<number> {
  const lastId = (await scene.collection.countDocuments()) - 1;
  const { rowCount } = await scene.client.query(
    `UPDATE things SET text = 'other' WHERE _id IN (
       SELECT coalesce(${idIn('until_id')}, $2) FROM mongo2pg.host_verification_ranges
        WHERE host_id = $1 AND compared_at IS NULL)`,
    [hostId, lastId],
  );
  assert.ok((rowCount ?? 0) > 0);
  return rowCount ?? 0;
}
