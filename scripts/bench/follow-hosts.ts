/**
 * `npm run bench -- --follow --hosts`: how fast one, two and three hosts merge the same changes. They are suspended while the changes
 * are made, so that the writer takes no processor time from them, and all have their slots already.
 */

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { MongoClient } from 'mongodb';
import { slotCount } from '../../src/bson/id-key.ts';
import { Announcements } from '../../src/common/announcements.ts';
import { formatCount, formatPlural } from '../../src/common/format.ts';
import type { RunEvent } from '../../src/observe/events.ts';
import { seedDocuments } from './documents.ts';
import type { FollowSettings } from './follow-settings.ts';
import { Writer } from './follow-writer.ts';
import { databaseName, tableName } from './names.ts';
import { clearTable, type Place } from './place.ts';
import { median } from './results.ts';
import { runVerify, startTool } from './tool.ts';

const counts = [1, 2, 3];

/** A host that is suspended sends no heartbeat, and is not to be declared dead. */
const limits = { MONGO2PG_HOST_LIMITS: '1000/300000' };

/** @returns a table of what was measured */
export async function compareFollowingHosts(place: Place, settings: FollowSettings): Promise<string> {
  const { amount, changes, workers, rounds } = settings;
  const rates = new Map<number, number[]>(counts.map((count) => [count, []]));
  for (let round = 0; round < rounds; round++) {
    for (const count of counts) {
      const ms = await catchUp(place, settings, count);
      const rate = (changes * 1000) / ms;
      rates.get(count)?.push(rate);
      console.log(`${formatPlural(count, 'host')}: ${formatCount(rate)} changes/s, table equal`);
    }
  }
  return [
    `catching up with ${formatCount(changes)} changes of ${formatCount(amount)} users, ${formatPlural(workers, 'worker')} each, median of ${rounds}:`,
    ...[...rates].map(([count, of]) => {
      const range = `${formatCount(Math.min(...of))}–${formatCount(Math.max(...of))}`;
      return `  ${formatPlural(count, 'host')}: ${formatCount(median(of))} changes/s (${range})`;
    }),
  ].join('\n');
}

/** @returns milliseconds from the moment at which the hosts resume until all is merged */
async function catchUp(
  place: Place,
  { amount, changes, workers }: FollowSettings,
  count: number,
): Promise<number> {
  await seedDocuments(place.mongoUrl, 'users', 0, amount);
  await clearTable(place);
  const client = await MongoClient.connect(place.mongoUrl);
  const hosts = new FollowingHosts(place, count, workers);
  try {
    const collection = client.db(databaseName).collection(tableName);
    const writer = await Writer.of(collection);
    await hosts.untilShared();
    hosts.signal('SIGSTOP');
    await writer.write(changes);
    const startedMs = performance.now();
    hosts.signal('SIGCONT');
    await hosts.untilMerged(changes);
    const ms = performance.now() - startedMs;
    await hosts.end();
    await runVerify(place, workers, await collection.countDocuments());
    return ms;
  } finally {
    await hosts.end();
    await client.close();
  }
}

class FollowingHosts {
  readonly #children: ChildProcess[] = [];
  readonly #ends: Promise<unknown>[] = [];
  /** Of each event of any host, and of each end. */
  readonly #news = new Announcements();
  readonly #isShared: boolean[];
  #changesRead = 0;
  #waiting = 0;

  constructor(place: Place, count: number, workers: number) {
    this.#isShared = Array.from({ length: count }, () => false);
    for (let index = 0; index < count; index++) {
      const args = index === 0 ? ['--hosts', '--follow'] : ['join'];
      const env = { CLUSTER_SIZE: String(workers), FOLLOW: 'true', VERIFY_SHARE: '0%', ...limits };
      const child = startTool(place, args, env);
      this.#children.push(child);
      this.#ends.push(once(child, 'exit'), this.#listen(index, createInterface({ input: child.stdout })));
    }
  }

  async #listen(index: number, lines: AsyncIterable<string>): Promise<void> {
    const least = Math.floor(slotCount / this.#isShared.length);
    for await (const line of lines) {
      const event = JSON.parse(line) as RunEvent;
      if (event.kind === 'host-merging') {
        this.#isShared[index] = event.slots >= least && event.slots < slotCount;
      }
      if (event.kind === 'following') {
        this.#isShared[index] = event.collections.length > 0;
        [this.#changesRead, this.#waiting] = [event.changesRead, event.waiting];
      }
      this.#news.announce();
    }
    this.#news.announce();
  }

  /** Until the table is copied, and each host has its slots. */
  async untilShared(): Promise<void> {
    await this.#until(() => this.#isShared.every(Boolean));
  }

  async untilMerged(changes: number): Promise<void> {
    await this.#until(() => this.#changesRead >= changes && this.#waiting === 0);
  }

  async #until(isReached: () => boolean): Promise<void> {
    await this.#news.until(() => {
      if (isReached()) return true;
      if (this.#children.some(({ exitCode, signalCode }) => exitCode !== null || signalCode !== null)) {
        throw new Error('a host has ended too early');
      }
      return false;
    });
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT' | 'SIGINT'): void {
    for (const child of this.#children) child.kill(signal);
  }

  async end(): Promise<void> {
    this.signal('SIGCONT');
    this.signal('SIGINT');
    await Promise.all(this.#ends);
  }
}
