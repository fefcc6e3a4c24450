/**
 * Several hosts copy together. Each process is the same: it leads when nobody does, and takes part otherwise.
 *
 * A host:  waiting for a migration (`join`) ──→ joined ──nobody leads──→ leads: the ordinary `migrate`
 *                                                 ↑ └──somebody leads──→ takes part ──the lead is gone──┐
 *                                                 ├──────────────────────────────────────────────────────┘
 *                                                 └── taken for dead: joins again, as another host
 * A lead that goes on where another was plans nothing anew: its `migrate` finds the job and its runs in the ledger.
 */

import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import {
  fromWireError,
  InterruptedError,
  MigrationError,
  toWireError,
  UsageError,
} from '../../common/errors.ts';
import { reachFailpoint } from '../../common/failpoints/failpoints.ts';
import type { Config } from '../../config/config.ts';
import { invoke } from '../../config/invocation.ts';
import { Listeners } from '../../observe/listeners.ts';
import type { Outcome } from '../../observe/outcome.ts';
import { requireServer } from '../../postgres/connection/server-check.ts';
import { withSession, type Session } from '../../postgres/connection/session.ts';
import type { HostWork } from '../../postgres/ledger/hosts/host-work.ts';
import { listLiving, readLastLead, type HostsKey, type LastLead } from '../../postgres/ledger/hosts/hosts.ts';
import { RangeJobs } from '../../postgres/ledger/hosts/range-jobs.ts';
import { createLedger } from '../../postgres/ledger/ledger.ts';
import { migrate } from '../job/job.ts';
import type { MigrateOptions } from '../job/options.ts';
import { describeHost, keyOf, requireSameKey } from './agreement.ts';
import { readHostLimits, type HostLimits } from './host-limits.ts';
import { hostSession } from './host-session.ts';
import { Membership, TakenForDeadError } from './membership.ts';
import { takePart } from './participation.ts';

/** Nothing tells that a migration has begun, or that the lead is gone. */
const lookEveryMs = 500;

/** @param mayBegin whether a migration that nobody has begun is begun here @throws MigrationError */
export async function copyTogether(
  config: Config,
  options: MigrateOptions,
  mayBegin: boolean,
): Promise<Outcome> {
  const { onEvent } = new Listeners(options.listeners);
  const audience = { onEvent, signal: options.signal };
  const limits = readHostLimits(process.env);
  return await withSession(hostSession(config, audience, limits), async (opened) => {
    await opened.run(requireServer);
    await opened.transaction(createLedger, 'long');
    const jobs = await RangeJobs.open(opened);
    return await new HostJob(config, options, limits, opened, jobs).execute(mayBegin);
  });
}

class HostJob {
  readonly #config: Config;
  readonly #options: MigrateOptions;
  readonly #session: Session;
  readonly #jobs: RangeJobs;
  readonly #listeners: Listeners;
  readonly #limits: HostLimits;
  readonly #key: HostsKey;
  readonly #startedMs = performance.now();
  /** What this host was told to begin with has begun: nothing is begun from scratch any more. */
  #hasBegun = false;

  constructor(
    config: Config,
    options: MigrateOptions,
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
  }

  async execute(mayBegin: boolean): Promise<Outcome> {
    if (!mayBegin) await this.#untilBegun();
    for (;;) {
      const membership = await this.#join();
      try {
        const outcome = await this.#serve(membership);
        await membership.leave('finished');
        return outcome;
      } catch (error) {
        await this.#leave(membership, error);
        if (!membership.isTakenForDead) throw error;
        this.#notify(`${new TakenForDeadError().message}; it joins again`);
      }
    }
  }

  /** @throws UsageError where nothing is there after a while, or something else is */
  async #untilBegun(): Promise<void> {
    this.#hasBegun = true;
    const limitMs = performance.now() + this.#config.retrySeconds * 1000;
    for (let isTold = false; ; isTold = true) {
      const lead = await this.#session.run((client) => readLastLead(client, this.#key));
      if (lead !== null && isUnfinished(lead)) return;
      const living = await this.#session.run((client) => listLiving(client, this.#limits.deadAfterMs));
      requireSameKey(this.#key, living);
      if (performance.now() > limitMs) throw nothingToJoin(this.#key);
      if (!isTold) this.#notify('waiting for a host that begins the migration');
      await this.#pause();
    }
  }

  async #join(): Promise<Membership> {
    await reachFailpoint('host-before-join');
    const { planFile, transform, signal } = this.#options;
    const membership = await Membership.join({
      ...{ config: this.#config, session: this.#session, jobs: this.#jobs, key: this.#key },
      audience: { onEvent: this.#listeners.onEvent, signal },
      identity: describeHost(this.#config, planFile, transform, this.#limits),
      limits: this.#limits,
    });
    const { hostId } = membership;
    this.#listeners.onEvent({ kind: 'host-joined', hostId, name: this.#nameOf() });
    return membership;
  }

  #nameOf(): string {
    const { planFile, transform } = this.#options;
    return describeHost(this.#config, planFile, transform, this.#limits).name;
  }

  async #serve(membership: Membership): Promise<Outcome> {
    const signal = AbortSignal.any([this.#options.signal, membership.signal]);
    for (;;) {
      signal.throwIfAborted();
      const before = await membership.readLastLead();
      // What was over before this command began is another matter.
      const isOver = before?.leftAt != null && (this.#hasBegun || before.leftAt >= membership.joinedAt);
      if (isOver && before.endReason === 'finished') return this.#nothingMore();
      if (isOver && before.endReason === 'failed') throw failureOf(before);
      if (await membership.tryToLead()) return await this.#lead(membership, before, signal);
      this.#hasBegun = true;
      try {
        await takePart({
          ...{
            config: this.#tagged(membership),
            membership,
            key: this.#key,
            hosts: this.#workOf(membership),
          },
          ...{ pools: this.#options.pools, listeners: this.#listeners, transform: this.#options.transform },
          signal,
        });
      } catch (error) {
        // What others have taken away is refused before the next sign of life tells why.
        await membership.look().catch(() => undefined);
        throw error;
      }
    }
  }

  async #lead(membership: Membership, before: LastLead | null, signal: AbortSignal): Promise<Outcome> {
    const isTakeOver = this.#hasBegun && before !== null && isUnfinished(before);
    if (isTakeOver) {
      const { hostId } = membership;
      this.#listeners.onEvent({ kind: 'lead-taken', hostId, name: this.#nameOf(), from: before.name });
    }
    const config = this.#tagged(membership);
    const goesOn = this.#hasBegun ? { ...config, restart: false, restartOnly: '' } : config;
    this.#hasBegun = true;
    const limitMs = performance.now() + this.#config.retrySeconds * 1000;
    for (;;) {
      try {
        return await migrate(goesOn, {
          ...this.#options,
          ...{ signal, hosts: this.#workOf(membership), share: membership.share },
        });
      } catch (error) {
        await membership.look().catch(() => undefined);
        // A lead that was taken for dead may have its locks again, until it hears of that.
        const isWaitedFor = isTakeOver && isLocked(error) && performance.now() < limitMs;
        if (!isWaitedFor || signal.aborted) throw error;
      }
    }
  }

  /** Others go on where this host cannot, unless it leads and they would meet the same. */
  async #leave(membership: Membership, error: unknown): Promise<void> {
    const isOurs = error instanceof MigrationError;
    const goesOn = isOurs && (error instanceof InterruptedError || error.isServerGone);
    const reason = goesOn || !membership.isLead ? 'left' : 'failed';
    // Where PostgreSQL is gone, others see to it when this host is silent for too long.
    await membership.leave(reason, reason === 'failed' ? toWireError(error) : null).catch(() => undefined);
  }

  #workOf({ hostId }: Membership): HostWork {
    return { hostId, jobs: this.#jobs, rangeBytes: this.#config.rangeMb * 1_000_000 };
  }

  #tagged({ hostId }: Membership): Config & { readonly hostId: string } {
    return { ...this.#config, hostId };
  }

  #nothingMore(): Outcome {
    this.#notify('the migration is over');
    const totalMs = performance.now() - this.#startedMs;
    return { summaries: [], copiedBefore: [], failures: [], totalMs };
  }

  async #pause(): Promise<void> {
    const { signal } = this.#options;
    await delay(lookEveryMs, undefined, { signal }).catch(() => undefined);
    signal.throwIfAborted();
  }

  #notify(message: string): void {
    this.#listeners.onEvent({ kind: 'notice', message });
  }
}

function isLocked(error: unknown): boolean {
  return error instanceof UsageError && (error.code === 'TABLE_BUSY' || error.code === 'JOB_BUSY');
}

/** Somebody leads it, or has left it to others. */
function isUnfinished({ endReason }: LastLead): boolean {
  return endReason === null || endReason === 'left' || endReason === 'dead';
}

function failureOf({ name, endDetail }: LastLead): MigrationError {
  const told = endDetail ?? { ...unknownFailure, message: 'for a reason that it could not write down' };
  return fromWireError({ ...told, message: `the host ${name}, which led, has failed: ${told.message}` });
}

const unknownFailure = toWireError(new UsageError('', { code: 'LEAD_FAILED' }));

function nothingToJoin({ sourceDb, selection }: HostsKey): UsageError {
  return new UsageError(`no host copies ${sourceDb}.${selection} into this database`, {
    code: 'NOTHING_TO_JOIN',
    fix: `begin the migration on one host with ${invoke('start', '--hosts')}, then join it.`,
  });
}
