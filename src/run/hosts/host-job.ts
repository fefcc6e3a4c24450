/**
 * Several hosts copy or verify together. All run the same code: a host leads if no other does, and otherwise participates.
 *
 * A host:  waiting for others to begin (`join`) ──→ joined ──no leader──→ leads: does what one host would do alone
 *                                                     ↑ └──another leads──→ participates ──the leader is dead──┐
 *                                                     ├────────────────────────────────────────────────────────┘
 *                                                     └── declared dead: joins again, as another host
 * A new leader keeps what the one before has done: it finds the job, its runs and its verifications in the ledger.
 */

import process from 'node:process';
import {
  fromWireError,
  InterruptedError,
  MigrationError,
  TargetError,
  toWireError,
  UsageError,
  type WireError,
} from '../../common/errors.ts';
import { reachFailpoint } from '../../common/failpoints/failpoints.ts';
import type { Config } from '../../config/config.ts';
import { Listeners } from '../../observe/listeners.ts';
import type { Failure } from '../../observe/outcome.ts';
import { requireServer } from '../../postgres/connection/server-check.ts';
import { withSession, type Session } from '../../postgres/connection/session.ts';
import type { HostWork } from '../../postgres/ledger/hosts/host-work.ts';
import {
  isUnfinished,
  type HostsKey,
  type HostTask,
  type LastLeader,
} from '../../postgres/ledger/hosts/hosts.ts';
import { untilNextPoll } from '../../postgres/ledger/hosts/poll.ts';
import { forgetVerifications } from '../../postgres/ledger/hosts/host-verifications.ts';
import { RangeJobs } from '../../postgres/ledger/hosts/range-jobs.ts';
import { prepareLedger, requireLedger, upgradeLedger } from '../../postgres/ledger/ledger.ts';
import type { Share } from '../../workers/supervisor/shared-size.ts';
import type { MigrateOptions } from '../job/options.ts';
import { requireNode } from '../connections.ts';
import { isOfMachine, type HandsOver } from '../failure.ts';
import { describeHost, keyOf } from './agreement.ts';
import { waitForTask } from './begun-task.ts';
import { readHostLimits, type HostLimits } from './host-limits.ts';
import { hostSession } from './host-session.ts';
import { Membership, DeclaredDeadError } from './membership.ts';
import { takePart } from './participation.ts';

export interface HostJobOptions<Result> extends Pick<
  MigrateOptions,
  'listeners' | 'signal' | 'planFile' | 'transform' | 'pools'
> {
  /** The task to begin if no other host has begun it; null: to join the one that another host has begun. */
  readonly begins: HostTask | null;
  /** Called on the host that leads. */
  lead(work: LeaderWork): Promise<Led<Result>>;
}

/** What a leader needs for its work with the other hosts. */
export interface LeaderWork {
  readonly task: HostTask;
  /** With the id of the host; without a restart if others have begun already. */
  readonly config: Config;
  readonly hosts: HostWork;
  readonly key: HostsKey;
  readonly share: Share;
  readonly signal: AbortSignal;
  /** The leader before, if it has not come to its end. */
  readonly takenOverFrom: LastLeader | null;
  /** @throws if this host was declared dead meanwhile, so that another may lead by now */
  readonly requireMembership: () => Promise<void>;
  /** If so, what is not finished is left to the host that leads next. */
  readonly handsOver: HandsOver;
}

/** What a leader has come to. */
export interface Led<Result> {
  readonly result: Result;
  /** Of collections. The first is reported to the other hosts. */
  readonly failures: readonly Failure[];
  /** Whether the job of the copy is finished with it. */
  readonly isJobFinished: boolean;
}

/**
 * Takes part in one task, or in one after the other with KEEP_JOINING.
 * @returns null if another host led to the end
 * @throws MigrationError
 */
export async function workTogether<Result>(
  config: Config,
  options: HostJobOptions<Result>,
): Promise<Result | null> {
  const { onEvent } = new Listeners(options.listeners);
  const audience = { onEvent, signal: options.signal };
  const limits = readHostLimits(process.env);
  return await withSession(hostSession(config, audience, limits), async (opened) => {
    await opened.run(requireServer);
    await requireNode(config, opened, options.signal);
    if (options.begins === 'verify') {
      await upgradeLedger(opened);
      await opened.run(requireLedger);
    } else {
      await prepareLedger(opened);
    }
    const jobs = await RangeJobs.open(opened);
    return await new HostJob(config, options, limits, opened, jobs).execute();
  });
}

class HostJob<Result> {
  readonly #config: Config;
  readonly #options: HostJobOptions<Result>;
  readonly #session: Session;
  readonly #jobs: RangeJobs;
  readonly #listeners: Listeners;
  readonly #limits: HostLimits;
  readonly #key: HostsKey;
  /** The task has begun, here or on another host: this host must not restart it. */
  #hasBegun = false;

  constructor(
    config: Config,
    options: HostJobOptions<Result>,
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

  async execute(): Promise<Result | null> {
    for (;;) {
      const task = this.#options.begins ?? (await this.#waitForTask());
      const led = await this.#takePartOnce(task);
      // A host that led has something to report.
      if (!this.#config.keepJoining || led !== null) return led?.result ?? null;
    }
  }

  /** Takes part in one task, as several hosts one after the other if it has to. @returns null if another host led to the end */
  async #takePartOnce(task: HostTask): Promise<Led<Result> | null> {
    for (;;) {
      const membership = await this.#join(task);
      try {
        const led = await this.#serve(membership);
        const [failure] = led?.failures ?? [];
        const isJobFinished = led?.isJobFinished ?? false;
        if (failure === undefined) await membership.leave('finished', null, isJobFinished);
        else await membership.leave('failed', toWireFailure(failure), isJobFinished);
        return led;
      } catch (error) {
        // A host that was declared dead first meets a refused write. The heartbeat says why, if it is heard.
        const canBeHeard = !membership.signal.aborted && !isTargetGone(error);
        if (canBeHeard) await membership.heartbeat().catch(() => undefined);
        await this.#leave(membership, error);
        if (!membership.isDeclaredDead) throw error;
        this.#notify(`${new DeclaredDeadError().message}; it joins again`);
      }
    }
  }

  async #waitForTask(): Promise<HostTask> {
    this.#hasBegun = true;
    return await waitForTask({
      ...{ config: this.#config, session: this.#session, key: this.#key, limits: this.#limits },
      ...{ onEvent: this.#listeners.onEvent, signal: this.#options.signal },
    });
  }

  async #join(task: HostTask): Promise<Membership> {
    await reachFailpoint('host-before-join');
    const { signal, planFile, transform } = this.#options;
    const membership = await Membership.join({
      ...{ config: this.#config, session: this.#session, jobs: this.#jobs, key: this.#key },
      audience: { onEvent: this.#listeners.onEvent, signal },
      identity: describeHost(task, this.#config, planFile, transform, this.#limits),
      limits: this.#limits,
    });
    const { hostId, name } = membership;
    this.#listeners.onEvent({ kind: 'host-joined', hostId, name });
    return membership;
  }

  /** @returns null if another host led to the end */
  async #serve(membership: Membership): Promise<Led<Result> | null> {
    const signal = AbortSignal.any([this.#options.signal, membership.signal]);
    for (;;) {
      signal.throwIfAborted();
      const before = await membership.readLastLeader();
      // What was over before this command began is not what to take part in.
      const isOver = before?.leftAt != null && (this.#hasBegun || before.leftAt >= membership.joinedAt);
      if (isOver && before.endReason === 'finished') {
        this.#notify(`the ${membership.task === 'copy' ? 'migration' : 'verification'} is finished`);
        return null;
      }
      if (isOver && before.endReason === 'failed') throw failureOf(before);
      if (await membership.tryToLead()) return await this.#lead(membership, before, signal);
      // The leader of another task may have died, and not be declared dead yet.
      if ((await membership.readLastLeader())?.endReason !== null) {
        await untilNextPoll(signal);
        continue;
      }
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

  async #lead(membership: Membership, before: LastLeader | null, signal: AbortSignal): Promise<Led<Result>> {
    const isTakeover = this.#hasBegun && before !== null && isUnfinished(before);
    if (isTakeover) {
      const { hostId, name } = membership;
      this.#listeners.onEvent({ kind: 'lead-taken', hostId, name, from: before.name });
    }
    const config = this.#configOf(membership);
    const resumed = this.#hasBegun ? { ...config, restart: false, restartOnly: '' } : config;
    this.#hasBegun = true;
    const hosts = this.#hostWork(membership);
    const key = this.#key;
    // What was compared while no host of now was there may have changed since.
    const hasSeenLeader = isTakeover && before.leftAt !== null && before.leftAt >= membership.joinedAt;
    if (!hasSeenLeader) await this.#session.transaction((client) => forgetVerifications(client, hosts, key));
    return await this.#options.lead({
      ...{ task: membership.task, config: resumed, hosts, key, share: membership.share, signal },
      takenOverFrom: isTakeover ? before : null,
      requireMembership: async () => {
        await membership.heartbeat();
        signal.throwIfAborted();
      },
      handsOver: (error) => handsOver(membership, error),
    });
  }

  /** Other hosts continue, unless this one leads and its error is one that they would meet too. */
  async #leave(membership: Membership, error: unknown): Promise<void> {
    const isLost =
      error instanceof MigrationError && (error instanceof InterruptedError || error.isServerGone);
    const isHandedOver = membership.isLead && (await handsOver(membership, error).catch(() => false));
    if (isHandedOver) {
      this.#notify(
        'this host gives up leading, as the error may be of this machine alone: another host leads',
      );
    }
    const canContinue = isLost || isHandedOver;
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

  #notify(message: string): void {
    this.#listeners.onEvent({ kind: 'notice', message });
  }
}

function isTargetGone(error: unknown): boolean {
  return error instanceof TargetError && error.isServerGone;
}

/** See `LeaderWork`. */
async function handsOver(membership: Membership, error: unknown): Promise<boolean> {
  return isOfMachine(error) && (await membership.hasOthers());
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
