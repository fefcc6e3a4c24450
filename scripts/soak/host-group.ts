/** Two to four hosts that copy or follow together, with their faults; others join in place of those that have ended. */

import { setTimeout as delay } from 'node:timers/promises';
import type { Random } from '../../src/common/random.ts';
import type { Scene } from './faults.ts';
import type { Followers, FollowersOptions } from './follow.ts';
import { HostProcess, listHostFaults } from './host-process.ts';
import { describeEnd, requireHonestEnd } from './outcome.ts';

const maxStarts = 30;
/** Idle times and a cutover under faults take minutes. */
const limitMs = { copy: 240_000, follow: 900_000 };
const longestPauseMs = 1_200;

export class HostGroup implements Followers {
  readonly #env: Readonly<Record<string, string>>;
  readonly #scene: Scene;
  readonly #random: Random;
  readonly #log: string[];
  readonly #onFault: (kind: string) => void;
  readonly #all: HostProcess[] = [];
  readonly #seen = new Set<HostProcess>();
  readonly #hurting: Promise<void>[] = [];
  #starting: Promise<void> = Promise.resolve();
  /** A server has one fault at a time. */
  #servers: Promise<void> = Promise.resolve();
  readonly #wanted: number;
  /** Set also when a host has ended with success. */
  isOver = false;
  hurtsLeft: number;

  constructor({ env, scene, random, log, onFault }: FollowersOptions) {
    this.#env = env;
    this.#scene = scene;
    this.#random = random;
    this.#log = log;
    this.#onFault = onFault;
    this.#wanted = 2 + random.below(3);
    this.hurtsLeft = (env.FOLLOW === undefined ? 2 : 4) + random.below(5);
    log.push(`${this.#wanted} hosts`);
  }

  /** Fulfilled when the migration is over, and all hosts have ended. */
  async run(): Promise<void> {
    const random = this.#random;
    const ownLimitMs = this.#env.FOLLOW === undefined ? limitMs.copy : limitMs.follow;
    const endMs = performance.now() + ownLimitMs;
    const requireInTime = (): void => {
      if (performance.now() > endMs) throw new Error(`it has not ended within ${ownLimitMs / 1000} s`);
    };
    while (!this.#isOverNow()) {
      requireInTime();
      // The host that should begin may have been killed before.
      if (this.#living.every(({ isWaiting }) => isWaiting)) {
        await this.#start('begins');
      } else if (this.#living.length < this.#wanted && random.chance(0.6)) {
        await this.#start('joins');
      }
      await this.#untilOneEnds(100 + random.below(longestPauseMs));
    }
    await Promise.all(this.#hurting);
    while (this.#living.length > 0) {
      requireInTime();
      // Too late for this one.
      for (const host of this.#living.filter(({ isWaiting }) => isWaiting)) host.kill('SIGTERM');
      await this.#untilOneEnds(200);
    }
    this.#noteEnds();
  }

  /** Most faults happen while hosts are working, and some while they start or plan. */
  hurt(): Promise<void> {
    const living = this.#living;
    const atWork = living.filter(({ isAtWork }) => isAtWork);
    const isInTime = atWork.length > 0 || this.#random.chance(0.1);
    if (this.isOver || living.length === 0 || !isInTime) return Promise.resolve();
    this.hurtsLeft--;
    this.#causeFault(this.#random.pick(atWork.length > 0 && this.#random.chance(0.9) ? atWork : living));
    return Promise.resolve();
  }

  async kill(): Promise<void> {
    // No other joins in place of those that are killed.
    this.isOver = true;
    await Promise.all(this.#hurting);
    await this.#starting;
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
    this.#starting = HostProcess.start(label, args, this.#env, this.#scene).then((host) => {
      this.#all.push(host);
    });
    await this.#starting;
  }

  async #untilOneEnds(ms: number): Promise<void> {
    await Promise.race([delay(ms), ...this.#living.map(({ ended }) => ended)]);
  }

  /** Not awaited, as several hosts can have faults at the same time. */
  #causeFault(host: HostProcess): void {
    const { postgres, mongo } = this.#scene;
    const ofHosts = listHostFaults(mongo);
    const ofServers: Readonly<Record<string, () => Promise<void> | void>> = {
      'PostgreSQL restarted, fast': () => postgres.restart('fast'),
      'PostgreSQL restarted, immediate': () => postgres.restart('immediate'),
      ...mongo.faults,
    };
    const kind = this.#random.pick([...Object.keys(ofHosts), ...Object.keys(ofServers)]);
    this.#onFault(kind);
    const ofHost = ofHosts[kind];
    this.#log.push(ofHost === undefined ? kind : `${host.label}: ${kind}`);
    if (ofHost === undefined) this.#servers = this.#servers.then(ofServers[kind]);
    this.#hurting.push(ofHost === undefined ? this.#servers : ofHost(host, this.#random));
  }

  #isOverNow(): boolean {
    this.#noteEnds();
    return this.isOver;
  }

  /** @throws when a host has ended unexpectedly */
  #noteEnds(): void {
    for (const host of this.#all) {
      const { result } = host;
      if (result === undefined || this.#seen.has(host)) continue;
      this.#seen.add(host);
      this.isOver ||= result.code === 0;
      this.#log.push(`${host.label} ${describeEnd(result)}`);
      const isTooLate = result.code === 2 && result.stdout.includes('NOTHING_TO_JOIN');
      if (!isTooLate) requireHonestEnd(result);
    }
  }
}
