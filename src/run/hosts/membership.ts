/**
 * A host's place among the others: gives signs of life, hears how many connections it may have, and sees to hosts that are
 * gone. Each host looks for these, whether it leads or not.
 *
 * A host:  joined ──→ takes part, or leads ──leave()──→ left
 *             └── no sign of life for too long: another marks it dead, ends its sessions, and gives its ranges to the queue
 * Invariants
 * - one that was taken for dead hears of it with its next sign of life (`signal`), and can change nothing by then: sessions,
 *   ranges and lead are lost to it;
 * - what it has is handed over in the transaction in which it leaves, whichever way that is.
 */

import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import type { WireError } from '../../common/errors.ts';
import { reachFailpoint } from '../../common/failpoints/failpoints.ts';
import type { Config } from '../../config/config.ts';
import { endSessionsOfHost, countWorkerSessions } from '../../postgres/connection/host-sessions.ts';
import { readConnectionsLeft } from '../../postgres/connection/capacity.ts';
import { withSession, type Session } from '../../postgres/connection/session.ts';
import { handOver } from '../../postgres/ledger/hosts/host-ranges.ts';
import {
  beat,
  endHost,
  insertHost,
  listDead,
  listLiving,
  lockDead,
  lockHosts,
  readLastLead,
  shareOut,
  takeLead,
  type HostEnd,
  type HostIdentity,
  type HostRow,
  type HostsKey,
  type JoinedHost,
  type LastLead,
} from '../../postgres/ledger/hosts/hosts.ts';
import type { RangeJobs } from '../../postgres/ledger/hosts/range-jobs.ts';
import type { Share } from '../../workers/supervisor/shared-size.ts';
import type { Audience } from '../connections.ts';
import { requireAgreement } from './agreement.ts';
import type { HostLimits } from './host-limits.ts';
import { hostSession } from './host-session.ts';

export interface MembershipOptions {
  readonly config: Config;
  readonly audience: Audience;
  /** For the signs of life, and nothing that may take long. */
  readonly session: Session;
  readonly jobs: RangeJobs;
  readonly key: HostsKey;
  readonly identity: HostIdentity;
  readonly limits: HostLimits;
}

/** Of the connections that are left; the rest is for people, and for what hosts need beside their workers. */
const shareForWorkers = 0.75;

/** Before the lead has said how many there may be. */
const connectionsAtFirst = 1;

/** This host was taken for dead. */
export class TakenForDeadError extends Error {
  constructor() {
    super('this host gave no sign of life for too long, and the others have taken over what it had');
  }
}

export class Membership {
  readonly #options: MembershipOptions;
  readonly hostId: string;
  /** By the database's clock. */
  readonly joinedAt: Date;
  readonly #loss = new AbortController();
  readonly #end = new AbortController();
  readonly #share = { connections: connectionsAtFirst };
  #isShared = false;
  #isLead = false;
  /** Who they were when the connections were shared out last. */
  #sharedBy = '';
  #beating: Promise<void> = Promise.resolve();
  #burying: Promise<void> | undefined;

  private constructor(options: MembershipOptions, { hostId, joinedAt }: JoinedHost) {
    this.#options = options;
    this.hostId = hostId;
    this.joinedAt = joinedAt;
  }

  /** @throws UsageError where this host differs from those that are there */
  static async join(options: MembershipOptions): Promise<Membership> {
    const { session, key, identity, limits } = options;
    const host = await session.transaction(async (client) => {
      await lockHosts(client, key);
      const living = await listLiving(client, limits.deadAfterMs);
      const [other] = living.filter((host) => isOfKey(host, key));
      if (other !== undefined) requireAgreement(identity, other);
      const joined = await insertHost(client, key, identity);
      await reachFailpoint('host-before-join-commit');
      return joined;
    });
    const membership = new Membership(options, host);
    membership.#beating = membership.#beatOn();
    return membership;
  }

  /** Aborted when the host was taken for dead, or cannot reach PostgreSQL any more; its reason says which. */
  get signal(): AbortSignal {
    return this.#loss.signal;
  }

  get isTakenForDead(): boolean {
    return this.#loss.signal.reason instanceof TakenForDeadError;
  }

  get isLead(): boolean {
    return this.#isLead;
  }

  /** How many connections the workers may have at the moment. */
  get share(): Share {
    return this.#share;
  }

  /** The lead has said how many connections this host may have. */
  get isShared(): boolean {
    return this.#isShared;
  }

  /** @returns whether this host leads now: nobody else did */
  async tryToLead(): Promise<boolean> {
    const { session, key } = this.#options;
    this.#isLead = await session.transaction((client) => takeLead(client, key, this.hostId));
    if (this.#isLead) await this.look();
    return this.#isLead;
  }

  async readLastLead(): Promise<LastLead | null> {
    const { session, key } = this.#options;
    return await session.run((client) => readLastLead(client, key));
  }

  /** A sign of life, and a look at the others. */
  async look(): Promise<void> {
    const { session, limits } = this.#options;
    const own = await session.run(async (client) => {
      const found = await beat(client, this.hostId);
      if (found?.isLead === true) await this.#shareOut(client);
      return found;
    });
    if (own === null) {
      this.#loss.abort(new TakenForDeadError());
      return;
    }
    if (own.connections !== null) {
      this.#share.connections = own.connections;
      this.#isShared = true;
    }
    const dead = await session.run((client) => listDead(client, limits.deadAfterMs));
    if (dead.length > 0) this.#buryBeside(dead);
  }

  /** Takes part no more: what the host has goes to the others. */
  async leave(reason: HostEnd, detail: WireError | null = null): Promise<void> {
    this.#end.abort();
    await this.#beating;
    await this.#burying;
    if (this.isTakenForDead) return;
    const { session, jobs } = this.#options;
    await session.transaction(async (client) => {
      await handOver(client, jobs, this.hostId);
      await endHost(client, this.hostId, reason, detail);
    }, 'long');
  }

  async #beatOn(): Promise<void> {
    const { signal } = this.#end;
    const { beatMs } = this.#options.limits;
    try {
      while (!signal.aborted && !this.#loss.signal.aborted) {
        await this.look();
        await delay(beatMs, undefined, { signal }).catch(() => undefined);
      }
    } catch (error) {
      this.#loss.abort(error);
    }
  }

  /** By the lead, whenever hosts have come or gone. */
  async #shareOut(client: pg.Client): Promise<void> {
    const { key } = this.#options;
    const living = (await listLiving(client)).filter((host) => isOfKey(host, key));
    const ids = living.map(({ hostId }) => hostId).join();
    if (ids === this.#sharedBy) return;
    const left = (await readConnectionsLeft(client)) + (await countWorkerSessions(client));
    const share = Math.max(1, Math.floor((left * shareForWorkers) / Math.max(1, living.length)));
    await shareOut(client, key, share);
    this.#sharedBy = ids;
    this.#share.connections = share;
    this.#isShared = true;
  }

  /** Beside the signs of life, as it waits for transactions of the dead. */
  #buryBeside(dead: readonly HostRow[]): void {
    this.#burying ??= this.#bury(dead)
      // Whoever looks next tries again.
      .catch((error: unknown) => {
        const message = `a host that is gone could not be seen to: ${error instanceof Error ? error.message : String(error)}`;
        this.#options.audience.onEvent({ kind: 'notice', message });
      })
      .finally(() => {
        this.#burying = undefined;
      });
  }

  async #bury(dead: readonly HostRow[]): Promise<void> {
    const { config, audience, limits } = this.#options;
    await reachFailpoint('host-before-burial');
    await withSession(hostSession(config, audience, limits), async (session) => {
      for (const host of dead) await this.#buryOne(session, host);
    });
  }

  async #buryOne(session: Session, { hostId, name, isLead }: HostRow): Promise<void> {
    const { audience, jobs, limits } = this.#options;
    // First of all: one that stands still in a transaction has locks on its own row.
    await session.run((client) => endSessionsOfHost(client, hostId));
    const waiting = await session.transaction(async (client) => {
      if (!(await lockDead(client, hostId, limits.deadAfterMs))) return null;
      const opened = await handOver(client, jobs, hostId);
      await endHost(client, hostId, 'dead');
      return opened;
    }, 'long');
    if (waiting !== null) audience.onEvent({ kind: 'host-left', hostId, name, isLead, waiting });
  }
}

function isOfKey(host: HostsKey, key: HostsKey): boolean {
  return host.sourceDb === key.sourceDb && host.schema === key.schema && host.selection === key.selection;
}
