/** Hosts of a test that follow together: whose slots are whose, and what each has merged. */

import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { BSON } from 'mongodb';
import { keyOfId, slotOfKey } from '../../src/bson/id-key.ts';
import { plainPool, type RunningCli } from './cli.ts';
import { waitUntil } from './embedded.ts';
import { assertCode, documentsOf, type Scene } from './fault.ts';
import { untilMerged } from './follow.ts';
import { begin, join, longLease, waitForHostId } from './hosts.ts';

export const following = { ...longLease, FOLLOW: 'true', CLUSTER_SIZE: '1' } as const;

type Env = Readonly<Record<string, string>>;

/** A host of the test, and its id. */
export interface FollowingHost {
  readonly run: RunningCli;
  readonly hostId: string;
}

/** The leader, once it has all slots. */
export async function beginFollowing(t: TestContext, scene: Scene, env: Env = {}): Promise<FollowingHost> {
  const run = begin(t, scene, { ...following, ...env });
  const hostId = await waitForHostId(scene, run);
  await waitForSlots(scene, { [hostId]: 64 });
  return { run, hostId };
}

/** A host that joins, and does not wait for slots. */
export async function joinFollowing(t: TestContext, scene: Scene, env: Env = {}): Promise<FollowingHost> {
  const run = join(t, scene, { ...following, ...env });
  return { run, hostId: await waitForHostId(scene, run) };
}

/** Two hosts with 32 slots each; the first leads. */
export async function followByTwo(
  t: TestContext,
  scene: Scene,
  { ofLeader = {}, ofOther = {} }: { readonly ofLeader?: Env; readonly ofOther?: Env } = {},
): Promise<readonly [FollowingHost, FollowingHost]> {
  const leader = await beginFollowing(t, scene, ofLeader);
  const other = await joinFollowing(t, scene, ofOther);
  await waitForSlots(scene, { [leader.hostId]: 32, [other.hostId]: 32 });
  return [leader, other];
}

/** By host: how many slots it has, and how many rows were written in them. */
export async function readSlots(
  scene: Scene,
): Promise<Record<string, { readonly slots: number; readonly rows: number }>> {
  const rows = await scene.query<{ hostId: string | null; slots: number; rows: number }>(
    `SELECT host_id AS "hostId", count(*)::int AS slots, sum(inserted + updated + deleted)::int AS rows
       FROM mongo2pg.slots JOIN mongo2pg.streams USING (stream_id) WHERE ended_at IS NULL GROUP BY 1`,
  );
  return Object.fromEntries(rows.map(({ hostId, ...counts }) => [hostId ?? 'none', counts]));
}

/** @param wanted the number of slots, by host; `none` are those that wait */
export async function waitForSlots(scene: Scene, wanted: Readonly<Record<string, number>>): Promise<void> {
  await waitUntil(`slots are ${JSON.stringify(wanted)}`, async () => {
    const found = Object.entries(await readSlots(scene)).map(([host, { slots }]) => [host, slots]);
    return JSON.stringify(Object.fromEntries(found.sort())) === JSON.stringify(sorted(wanted));
  });
}

function sorted(counts: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).sort());
}

/** Inserts, updates and deletes in all slots. @param round distinguishes the writes */
export async function writeEverywhere(scene: Scene, round: number): Promise<void> {
  await scene.collection.insertMany(documentsOf(300, 10_000 + 1_000 * round));
  await scene.collection.updateMany({ even: true }, { $set: { text: `round ${round}` } });
  await scene.collection.deleteMany({ _id: { $gte: (10 * round) as never, $lt: (10 * round + 5) as never } });
}

/** Waits until all is merged, and cuts over: all hosts end with 0, and all rows are their documents. */
export async function cutOverAll(scene: Scene, hosts: readonly RunningCli[]): Promise<void> {
  await untilMerged(scene);
  assertCode(await scene.run({ CLUSTER_IMPLEMENTATION: plainPool }, 'cutover'), 0);
  for (const { result } of hosts) assertCode(await result, 0);
  await scene.assertEqual();
}

/** An `_id` of a document whose slot a host has. */
export async function findIdOf(scene: Scene, hostId: string): Promise<number> {
  const rows = await scene.query<{ slot: number }>('SELECT slot FROM mongo2pg.slots WHERE host_id = $1', [
    hostId,
  ]);
  const slots = new Set(rows.map(({ slot }) => slot));
  for (let id = 0; id < 500; id++) {
    if (slots.has(slotOfKey(keyOfId(BSON.serialize({ _id: id }))))) return id;
  }
  throw new Error(`host ${hostId} has no slot`);
}

export async function setText(scene: Scene, id: number, text: string): Promise<void> {
  await scene.collection.updateOne({ _id: id as never }, { $set: { text } }, { upsert: true });
}

/** Rows of the table are those that were copied, with what merges say that they have inserted and deleted. */
export async function assertMergedOnce(scene: Scene): Promise<void> {
  const [row] = await scene.query<{ isRight: boolean }>(
    `SELECT (SELECT count(*) FROM things)
            = (SELECT sum(copied) FROM mongo2pg.batches) + (SELECT sum(inserted) - sum(deleted) FROM mongo2pg.slots)
            AS "isRight"`,
  );
  assert.equal(row?.isRight, true);
}

/** A document's `_id`, as failpoints name it. */
export function hexOf(id: number): string {
  return Buffer.from(BSON.serialize({ _id: id })).toString('hex');
}
