/**
 * Several hosts copy together. All run the same code: a host leads if no other does, and otherwise participates.
 *
 * A host:  waiting for a migration (`join`) ──→ joined ──no leader──→ leads: the ordinary `migrate`
 *                                                 ↑ └──another leads──→ participates ──the leader is dead──┐
 *                                                 ├────────────────────────────────────────────────────────┘
 *                                                 └── declared dead: joins again, as another host
 * A new leader keeps the plan of the one before: its `migrate` finds the job and its runs in the ledger.
 */

import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import {
  fromWireError,
  InterruptedError,
  MigrationError,
  toWireError,
  UsageError,
  type WireError,
} from '../../common/errors.ts';
import { reachFailpoint } from '../../common/failpoints/failpoints.ts';
import { retry } from '../../common/retry.ts';
import type { Config } from '../../config/config.ts';
import { invoke } from '../../config/invocation.ts';
import { Listeners } from '../../observe/listeners.ts';
import type { Failure, Outcome } from '../../observe/outcome.ts';
import { requireServer } from '../../postgres/connection/server-check.ts';
import { withSession, type Session } from '../../postgres/connection/session.ts';
import type { HostWork } from '../../postgres/ledger/hosts/host-work.ts';
import {
  type HostIdentity,
  listLiveHosts,
  readLastLeader,
  type HostsKey,
  type LastLeader,
} from '../../postgres/ledger/hosts/hosts.ts';
import { forgetVerifications } from '../../postgres/ledger/hosts/host-verifications.ts';
import { RangeJobs } from '../../postgres/ledger/hosts/range-jobs.ts';
import { prepareLedger } from '../../postgres/ledger/ledger.ts';
import type { Share } from '../../workers/supervisor/shared-size.ts';
import { migrate } from '../job/job.ts';
import type { MigrateOptions } from '../job/options.ts';
import { describeHost, keyOf, requireSameKey } from './agreement.ts';
import { readHostLimits, type HostLimits } from './host-limits.ts';
import { hostSession } from './host-session.ts';
import { Membership, DeclaredDeadError } from './membership.ts';
import { takePart } from './participation.ts';

/** The ledger is polled: no message says that a migration has begun. */
const pollIntervalMs = 500;

export interface HostJobOptions extends MigrateOptions {
  /**
   * Called on the leader once everything is copied, while the other hosts still take part.
   * @returns collections that have failed in it
   */
  onCopied(outcome: Outcome, leader: LeaderWork): Promise<readonly Failure[]>;
}

/** What a leader needs for further work with the other hosts. */
export interface LeaderWork {
  /** With the id of the host. */
  readonly config: Config;
  readonly hosts: HostWork;
  readonly key: HostsKey;
  readonly share: Share;
  readonly signal: AbortSignal;
}

/** The outcome of the copy, and the collections that have failed later. */
interface Served {
  readonly outcome: Outcome;
  readonly failures: readonly Failure[];
  /** Whether this host led to the end. */
  readonly hasLed: boolean;
}

/** @param mayBegin whether to begin the migration if no host has @throws MigrationError */
export async function copyTogether(
  config: Config,
  options: HostJobOptions,
  mayBegin: boolean,
): Promise<Outcome> {
  const { onEvent } = new Listeners(options.listeners);
  const audience = { onEvent, signal: options.signal };
  const limits = readHostLimits(process.env);
  return await withSession(hostSession(config, audience, limits), async (opened) => {
    await opened.run(requireServer);
    await prepareLedger(opened);
    const jobs = await RangeJobs.open(opened);
    return await new HostJob(config, options, limits, opened, jobs).execute(mayBegin);
  });
}

class HostJob {
  readonly #config: Config;
  readonly #options: HostJobOptions;
  readonly #session: Session;
  readonly #jobs: RangeJobs;
  readonly #listeners: Listeners;
  readonly #limits: HostLimits;
  readonly #key: HostsKey;
  readonly #identity: HostIdentity;
  readonly #startedMs = performance.now();
  /** The migration has begun, here or on another host: this host must not restart it. */
  #hasBegun = false;

  constructor(
    config: Config,
    options: HostJobOptions,
    limits: HostLimits,
    session: Session,
    jobs: RangeJobs,
  ) {
    this.#config = config;
    this.#options = options;
    this.#limits = limits;
    this.#session = session;
    this.#jobs = jobs;
    this.#listeners = new Listeners(options.listeners);
    this.#key = keyOf(config, config.mongoDb);
    this.#identity = describeHost(config, options.planFile, options.transform, limits);
  }

  async execute(mayBegin: boolean): Promise<Outcome> {
    for (;;) {
      if (!mayBegin) await this.#waitForMigration();
      const outcome = await this.#joinOnce();
      // A host that led has something to report.
      if (!this.#config.keepJoining || !isNothing(outcome)) return outcome;
    }
  }

  /** Takes part in one migration, as several hosts one after the other if it has to. */
  async #joinOnce(): Promise<Outcome> {
    for (;;) {
      const membership = await this.#join();
      try {
        const { outcome, failures, hasLed } = await this.#serve(membership);
        const isAllCopied = hasLed && outcome.failures.length === 0;
        const [failure] = [...outcome.failures, ...failures];
        if (failure === undefined) await membership.leave('finished', null, isAllCopied);
        else await membership.leave('failed', toWireFailure(failure), isAllCopied);
        return outcome;
      } catch (error) {
        // A host that was declared dead first meets a refused write. The heartbeat says why.
        if (!membership.signal.aborted) await membership.heartbeat().catch(() => undefined);
        await this.#leave(membership, error);
        if (!membership.isDeclaredDead) throw error;
        this.#notify(`${new DeclaredDeadError().message}; it joins again`);
      }
    }
  }

  /** @throws UsageError if no host has begun the migration in time, or if hosts copy something else */
  async #waitForMigration(): Promise<void> {
    this.#hasBegun = true;
    const { keepJoining, retrySeconds } = this.#config;
    const limitMs = keepJoining ? Infinity : performance.now() + retrySeconds * 1000;
    for (let isReported = false; ; isReported = true) {
      const leader = await this.#session.run((client) => readLastLeader(client, this.#key));
      if (leader !== null && isUnfinished(leader)) return;
      const live = await this.#session.run((client) => listLiveHosts(client, this.#limits.deadAfterMs));
      requireSameKey(this.#key, live);
      if (performance.now() > limitMs) throw nothingToJoin(this.#key);
      if (!isReported) this.#listeners.onEvent({ kind: 'host-waiting' });
      await this.#pause();
    }
  }

  async #join(): Promise<Membership> {
    await reachFailpoint('host-before-join');
    const { signal } = this.#options;
    const membership = await Membership.join({
      ...{ config: this.#config, session: this.#session, jobs: this.#jobs, key: this.#key },
      audience: { onEvent: this.#listeners.onEvent, signal },
      identity: this.#identity,
      limits: this.#limits,
    });
    const { hostId } = membership;
    this.#listeners.onEvent({ kind: 'host-joined', hostId, name: this.#identity.name });
    return membership;
  }

  async #serve(membership: Membership): Promise<Served> {
    const signal = AbortSignal.any([this.#options.signal, membership.signal]);
    for (;;) {
      signal.throwIfAborted();
      const before = await membership.readLastLeader();
      // A migration that was over before this command began is not the one to take part in.
      const isOver = before?.leftAt != null && (this.#hasBegun || before.leftAt >= membership.joinedAt);
      if (isOver && before.endReason === 'finished') return this.#reportOver();
      if (isOver && before.endReason === 'failed') throw failureOf(before);
      if (await membership.tryToLead()) return await this.#lead(membership, before, signal);
      this.#hasBegun = true;
      await takePart({
        ...{
          config: this.#configOf(membership),
          membership,
          key: this.#key,
          hosts: this.#hostWork(membership),
        },
        ...{ pools: this.#options.pools, listeners: this.#listeners, transform: this.#options.transform },
        signal,
      });
    }
  }

  async #lead(membership: Membership, before: LastLeader | null, signal: AbortSignal): Promise<Served> {
    const isTakeover = this.#hasBegun && before !== null && isUnfinished(before);
    if (isTakeover) {
      const { hostId } = membership;
      this.#listeners.onEvent({ kind: 'lead-taken', hostId, name: this.#identity.name, from: before.name });
    }
    const config = this.#configOf(membership);
    const resumed = this.#hasBegun ? { ...config, restart: false, restartOnly: '' } : config;
    this.#hasBegun = true;
    const hosts = this.#hostWork(membership);
    const key = this.#key;
    const { share } = membership;
    if (!isTakeover) await this.#session.transaction((client) => forgetVerifications(client, hosts, key));
    const work = async (): Promise<Outcome> => {
      // Another host may lead by now, if this one was declared dead meanwhile.
      await membership.heartbeat();
      signal.throwIfAborted();
      return await migrate(resumed, { ...this.#options, ...{ signal, hosts, share } });
    };
    // The leader before may have reconnected and locked again, until it learns that it was declared dead.
    const isTransient = (error: unknown): boolean => isTakeover && isLocked(error);
    const limitMs = this.#config.retrySeconds * 1000;
    const outcome = await retry(work, { limitMs, isTransient, signal });
    const failures = await this.#options.onCopied(outcome, { config, hosts, key, share, signal });
    return { outcome, failures, hasLed: true };
  }

  /** Other hosts continue, unless this one leads and its error is one that they would meet too. */
  async #leave(membership: Membership, error: unknown): Promise<void> {
    const isOurs = error instanceof MigrationError;
    const canContinue = isOurs && (error instanceof InterruptedError || error.isServerGone);
    const reason = canContinue || !membership.isLead ? 'left' : 'failed';
    // If PostgreSQL cannot be reached, the other hosts declare this one dead.
    await membership.leave(reason, reason === 'failed' ? toWireError(error) : null).catch(() => undefined);
  }

  #hostWork({ hostId }: Membership): HostWork {
    return { hostId, jobs: this.#jobs, rangeBytes: this.#config.rangeMb * 1_000_000 };
  }

  #configOf({ hostId }: Membership): Config & { readonly hostId: string } {
    return { ...this.#config, hostId };
  }

  #reportOver(): Served {
    this.#notify('the migration is finished');
    const totalMs = performance.now() - this.#startedMs;
    const outcome = { summaries: [], copiedBefore: [], failures: [], totalMs };
    return { outcome, failures: [], hasLed: false };
  }

  async #pause(): Promise<void> {
    const { signal } = this.#options;
    await delay(pollIntervalMs, undefined, { signal }).catch(() => undefined);
    signal.throwIfAborted();
  }

  #notify(message: string): void {
    this.#listeners.onEvent({ kind: 'notice', message });
  }
}

function isLocked(error: unknown): boolean {
  return error instanceof UsageError && (error.code === 'TABLE_BUSY' || error.code === 'JOB_BUSY');
}

/** Not finished and not failed. */
function isUnfinished({ endReason }: LastLeader): boolean {
  return endReason === null || endReason === 'left' || endReason === 'dead';
}

/** Another host led to the end. */
function isNothing({ summaries, copiedBefore, failures }: Outcome): boolean {
  return summaries.length + copiedBefore.length + failures.length === 0;
}

/** Reported to other hosts like an error that stops all collections. */
function toWireFailure({ source, message, code, fix, exitCode }: Failure): WireError {
  return toWireError(new MigrationError(exitCode, `${source}: ${message}`, { code, fix }));
}

function failureOf({ name, endDetail }: LastLeader): MigrationError {
  const detail = endDetail ?? { ...unknownFailure, message: 'the reason was not recorded' };
  return fromWireError({ ...detail, message: `the leader ${name} has failed: ${detail.message}` });
}

const unknownFailure = toWireError(new UsageError('', { code: 'LEAD_FAILED' }));

function nothingToJoin({ sourceDb, selection }: HostsKey): UsageError {
  return new UsageError(`no host copies ${sourceDb}.${selection} into this database`, {
    code: 'NOTHING_TO_JOIN',
    fix: `begin the migration on one host with ${invoke('start', '--hosts')}, then join it.`,
  });
}
