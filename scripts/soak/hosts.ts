/** One copy by two to four hosts, with faults of any of them at random times; others join, and in the end all is compared. */

import { setTimeout as delay } from 'node:timers/promises';
import { MongoClient } from 'mongodb';
import type { Random } from '../../src/common/random.ts';
import { createEnvironment } from './environment.ts';
import type { Scene } from './faults.ts';
import { hostFaults, HostProcess } from './host-process.ts';
import { describeEnd, requireEqualTable, requireHonestEnd } from './outcome.ts';

const maxStarts = 30;
const runLimitMs = 240_000;
const longestPauseMs = 1_200;

export interface HostsSoakOptions {
  readonly name: string;
  readonly pool: string;
  readonly onFault: (kind: string) => void;
}

/** @throws when something is lost, duplicated or hangs */
export async function soakHosts(
  scene: Scene,
  random: Random,
  log: string[],
  { name, pool, onFault }: HostsSoakOptions,
): Promise<void> {
  const { mongo, postgres } = scene;
  const client = await MongoClient.connect(mongo.url);
  const collection = client.db('soak').collection(name);
  const count = 4_000 + random.below(8_000);
  await collection.insertMany(
    Array.from({ length: count }, (_, _id) => ({ _id: _id as never, text: `text ${_id}`, n: _id % 7 })),
  );
  const workers = 1 + random.below(3);
  const env = {
    ...createEnvironment(scene, { name, pool, workers, itemsPerPage: 5 + random.below(20) }),
    // No worker is stopped here, and of so many some take seconds to start.
    WORKER_TIMEOUT_SECONDS: '20',
  };
  const wanted = 2 + random.below(3);
  log.push(`${count} documents, ${wanted} hosts with ${workers} workers of ${pool}`);
  const hosts = new Hosts(env, scene, random, log, onFault);
  try {
    await hosts.run(wanted, 2 + random.below(5));
    await requireEqualTable(collection, postgres.url);
    await collection.drop();
  } finally {
    await hosts.kill();
    await client.close();
  }
}

class Hosts {
  readonly #env: Readonly<Record<string, string>>;
  readonly #scene: Scene;
  readonly #random: Random;
  readonly #log: string[];
  readonly #onFault: (kind: string) => void;
  readonly #all: HostProcess[] = [];
  readonly #seen = new Set<HostProcess>();
  readonly #hurting: Promise<void>[] = [];
  /** A server has one fault at a time. */
  #servers: Promise<void> = Promise.resolve();
  /** A host has finished the migration. */
  #isOver = false;

  constructor(
    env: Readonly<Record<string, string>>,
    scene: Scene,
    random: Random,
    log: string[],
    onFault: (kind: string) => void,
  ) {
    this.#env = env;
    this.#scene = scene;
    this.#random = random;
    this.#log = log;
    this.#onFault = onFault;
  }

  /** Fulfilled when the migration is over, and all hosts have ended. */
  async run(wanted: number, hurts: number): Promise<void> {
    const random = this.#random;
    const endMs = performance.now() + runLimitMs;
    let left = hurts;
    while (!this.#hasEnded(endMs)) {
      const { length } = this.#living;
      // The host that should begin may have been killed before.
      if (this.#living.every(({ isWaiting }) => isWaiting)) {
        await this.#start('begins');
      } else if (length < wanted && random.chance(0.6)) {
        await this.#start('joins');
      } else if (left > 0 && this.#isToHurt()) {
        left--;
        this.#hurt();
      }
      const pause = delay(100 + random.below(longestPauseMs));
      await Promise.race([pause, ...this.#living.map(({ ended }) => ended)]);
    }
    await Promise.all(this.#hurting);
    while (this.#living.length > 0) {
      // Too late for this one.
      for (const host of this.#living.filter(({ isWaiting }) => isWaiting)) host.kill('SIGTERM');
      await Promise.race([delay(200), ...this.#living.map(({ ended }) => ended)]);
      this.#hasEnded(endMs);
    }
  }

  async kill(): Promise<void> {
    await Promise.all(this.#hurting);
    for (const host of this.#living) host.kill('SIGKILL');
    await Promise.all(this.#all.map(({ ended }) => ended));
  }

  get #living(): HostProcess[] {
    return this.#all.filter(({ result }) => result === undefined);
  }

  async #start(role: 'begins' | 'joins'): Promise<void> {
    if (this.#all.length === maxStarts) throw new Error(`not finished after ${maxStarts} starts`);
    const label = String(this.#all.length + 1);
    this.#log.push(`${label} ${role}`);
    const args = role === 'begins' ? ['--hosts'] : ['join'];
    this.#all.push(await HostProcess.start(label, args, this.#env, this.#scene.postgres));
  }

  /** Most faults happen while hosts are working, and some while they start or plan. */
  #isToHurt(): boolean {
    return this.#living.some(({ isAtWork }) => isAtWork) || this.#random.chance(0.1);
  }

  #hurt(): void {
    const { postgres, mongo } = this.#scene;
    const ofServers: Readonly<Record<string, () => Promise<void> | void>> = {
      'PostgreSQL restarted, fast': () => postgres.restart('fast'),
      'PostgreSQL restarted, immediate': () => postgres.restart('immediate'),
      ...mongo.faults,
    };
    const kind = this.#random.pick([...Object.keys(hostFaults), ...Object.keys(ofServers)]);
    const atWork = this.#living.filter(({ isAtWork }) => isAtWork);
    const host = this.#random.pick(atWork.length > 0 && this.#random.chance(0.9) ? atWork : this.#living);
    this.#onFault(kind);
    const ofHost = hostFaults[kind];
    this.#log.push(ofHost === undefined ? kind : `${host.label}: ${kind}`);
    if (ofHost === undefined) this.#servers = this.#servers.then(ofServers[kind]);
    this.#hurting.push(ofHost === undefined ? this.#servers : ofHost(host, this.#random));
  }

  /** @returns whether the migration is over @throws when a host has ended unexpectedly, or it takes too long */
  #hasEnded(endMs: number): boolean {
    for (const host of this.#all) {
      const { result } = host;
      if (result === undefined || this.#seen.has(host)) continue;
      this.#seen.add(host);
      this.#isOver ||= result.code === 0;
      this.#log.push(`${host.label} ${describeEnd(result)}`);
      const isTooLate = result.code === 2 && result.stdout.includes('NOTHING_TO_JOIN');
      if (!isTooLate) requireHonestEnd(result);
    }
    if (performance.now() > endMs) throw new Error(`it has not ended within ${runLimitMs / 1000} s`);
    return this.#isOver;
  }
}
