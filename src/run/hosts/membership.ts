/**
 * A host's membership in what several hosts do together: sends heartbeats, receives its share of the connections, and fails over hosts that are
 * gone. Every host does this, whether it leads or not.
 *
 * A host:  joined ──→ participates, or leads ──leave()──→ left
 *             └── no heartbeat for too long: another host ends its sessions, releases its ranges and slots, and declares it dead
 * Invariants
 * - a host that was declared dead learns of it with its next heartbeat (`signal`). It can change nothing in between: it has
 *   lost its sessions, its ranges and the leadership;
 * - a host's ranges and slots are released in the transaction that ends its membership, whether it leaves or is declared dead.
 */

import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import type { WireError } from '../../common/errors.ts';
import { reachFailpoint } from '../../common/failpoints/failpoints.ts';
import type { Config } from '../../config/config.ts';
import { endSessionsOfHost, countWorkerSessions } from '../../postgres/connection/host-sessions.ts';
import { readConnectionsLeft } from '../../postgres/connection/capacity.ts';
import { inOneTrip } from '../../postgres/connection/one-trip.ts';
import { inTransaction, withSession, type Session } from '../../postgres/connection/session.ts';
import { isVerificationGivenUp } from '../../postgres/ledger/hosts/host-verifications.ts';
import {
  assignConnections,
  finishJobOfHosts,
  insertHost,
  isGivenUp,
  listSilentHosts,
  listLiveHosts,
  lockSilentHost,
  lockHosts,
  readLastLeader,
  recordHeartbeat,
  takeLeadership,
  type HostEnd,
  type HostIdentity,
  type HostRow,
  type HostsKey,
  type HostTask,
  type JoinedHost,
  type LastLeader,
} from '../../postgres/ledger/hosts/hosts.ts';
import type { RangeJobs } from '../../postgres/ledger/hosts/range-jobs.ts';
import { endHost, releaseRanges } from '../../postgres/ledger/hosts/release.ts';
import type { Share } from '../../workers/supervisor/shared-size.ts';
import type { Audience } from '../connections.ts';
import { requireAgreement } from './agreement.ts';
import type { HostLimits } from './host-limits.ts';
import { hostSession } from './host-session.ts';

export interface MembershipOptions {
  readonly config: Config;
  readonly audience: Audience;
  /** For heartbeats, and for nothing that may take long. */
  readonly session: Session;
  readonly jobs: RangeJobs;
  readonly key: HostsKey;
  readonly identity: HostIdentity;
  readonly limits: HostLimits;
}

/** Of the free connections; the rest is for users, and for what hosts need beside their workers. */
const shareForWorkers = 0.75;

/** Until the leader has assigned connections. */
const initialConnections = 1;

export class DeclaredDeadError extends Error {
  constructor() {
    super('this host sent no heartbeat for too long: the others have declared it dead and taken its ranges');
  }
}

export class Membership {
  readonly #options: MembershipOptions;
  readonly hostId: string;
  /** By the database's clock. */
  readonly joinedAt: Date;
  readonly #loss = new AbortController();
  readonly #end = new AbortController();
  readonly #share = { connections: initialConnections };
  #isShared = false;
  #isLead = false;
  /** The hosts among which the connections were last shared. */
  #sharedAmong = '';
  #heartbeats: Promise<void> = Promise.resolve();
  #failover: Promise<void> | undefined;

  private constructor(options: MembershipOptions, { hostId, joinedAt }: JoinedHost) {
    this.#options = options;
    this.hostId = hostId;
    this.joinedAt = joinedAt;
  }

  /** @throws UsageError if this host differs from the others */
  static async join(options: MembershipOptions): Promise<Membership> {
    const { session, key, identity, limits } = options;
    const host = await session.transaction(async (client) => {
      const [, live] = await inOneTrip(
        client,
        () => lockHosts(client, key),
        () => listLiveHosts(client, limits.deadAfterMs),
      );
      const [other] = live.filter((host) => isOfKey(host, key));
      if (other !== undefined) requireAgreement(identity, other);
      const joined = await insertHost(client, key, identity);
      await reachFailpoint('host-before-join-commit');
      return joined;
    });
    const membership = new Membership(options, host);
    membership.#heartbeats = membership.#sendHeartbeats();
    return membership;
  }

  /** Aborted when the host was declared dead, or cannot reach PostgreSQL any more. The reason is the error. */
  get signal(): AbortSignal {
    return this.#loss.signal;
  }

  get isDeclaredDead(): boolean {
    return this.#loss.signal.reason instanceof DeclaredDeadError;
  }

  get isLead(): boolean {
    return this.#isLead;
  }

  /** How many connections the workers may have; changes when hosts come or go. */
  get share(): Share {
    return this.#share;
  }

  /** Whether the leader has assigned connections to this host. */
  get isShared(): boolean {
    return this.#isShared;
  }

  /** @returns whether this host leads now: false if another does */
  async tryToLead(): Promise<boolean> {
    const { session, key } = this.#options;
    this.#isLead = await session.transaction((client) => takeLeadership(client, key, this.hostId));
    if (this.#isLead) await this.heartbeat();
    return this.#isLead;
  }

  /** Of this process, for messages. */
  get name(): string {
    return this.#options.identity.name;
  }

  get task(): HostTask {
    return this.#options.identity.task;
  }

  /** The host that leads this task, or led it last. */
  async readLastLeader(): Promise<LastLeader | null> {
    const { session, key } = this.#options;
    return await session.run((client) => readLastLeader(client, key, this.task));
  }

  /** Whether there are other hosts for the same task. */
  async hasOthers(): Promise<boolean> {
    const { session, key, limits } = this.#options;
    const live = await session.run((client) => listLiveHosts(client, limits.deadAfterMs));
    return live.some((host) => isOfKey(host, key) && host.hostId !== this.hostId);
  }

  /** Whether the leader has given up a run. Asked once, without a retry, so that heartbeats and the end wait for nothing. */
  async isGivenUp(runId: string): Promise<boolean> {
    const { session, key } = this.#options;
    return await session.runOnce((client) => isGivenUp(client, key, runId));
  }

  /** Whether the leader has given up a verification. See `isGivenUp`. */
  async isVerificationGivenUp(verificationId: string): Promise<boolean> {
    return await this.#options.session.runOnce((client) => isVerificationGivenUp(client, verificationId));
  }

  /** Sends a heartbeat, and fails over hosts that send none. */
  async heartbeat(): Promise<void> {
    const { session, limits } = this.#options;
    const [own, dead] = await session.run(async (client) => {
      const found = await inOneTrip(
        client,
        () => recordHeartbeat(client, this.hostId),
        () => listSilentHosts(client, limits.deadAfterMs),
      );
      if (found[0]?.isLead === true) await this.#shareConnections(client);
      return found;
    });
    if (own === null) {
      this.#loss.abort(new DeclaredDeadError());
      return;
    }
    if (own.connections !== null) {
      this.#share.connections = own.connections;
      this.#isShared = true;
    }
    if (dead.length > 0) this.#startFailover(dead);
  }

  /** Releases what this host has taken and does not read to its end. Nothing may be in flight. */
  async release(): Promise<void> {
    const { session, jobs } = this.#options;
    await session.transaction((client) => releaseRanges(client, jobs, this.hostId), 'long');
  }

  /**
   * Ends the membership, and releases the ranges and slots of this host.
   * @param isAllCopied whether this host led, and every collection is copied: in the same transaction, the job is marked as finished.
   * Until then, a host that becomes the leader finds the job, and copies nothing again
   */
  async leave(reason: HostEnd, detail: WireError | null = null, isAllCopied = false): Promise<void> {
    this.#end.abort();
    await this.#heartbeats;
    await this.#failover;
    if (this.isDeclaredDead) return;
    const { session, jobs, key } = this.#options;
    const end = async (client: pg.Client): Promise<void> => {
      // First, as it is refused to a host that has ended.
      if (isAllCopied) await finishJobOfHosts(client, key, this.hostId);
      await endHost(client, jobs, this.hostId, reason, detail);
    };
    // PostgreSQL was asked for long enough, and most likely the others have declared this host dead.
    if (this.#loss.signal.aborted) await session.runOnce((client) => inTransaction(client, end));
    else await session.transaction(end, 'long');
  }

  async #sendHeartbeats(): Promise<void> {
    const { signal } = this.#end;
    const { heartbeatMs } = this.#options.limits;
    try {
      while (!signal.aborted && !this.#loss.signal.aborted) {
        await this.heartbeat();
        await delay(heartbeatMs, undefined, { signal }).catch(() => undefined);
      }
    } catch (error) {
      this.#loss.abort(error);
    }
  }

  /** Done by the leader when hosts have come or gone. */
  async #shareConnections(client: pg.Client): Promise<void> {
    const { key } = this.#options;
    const live = (await listLiveHosts(client)).filter((host) => isOfKey(host, key));
    const ids = live.map(({ hostId }) => hostId).join();
    if (ids === this.#sharedAmong) return;
    const [left, ofWorkers] = await inOneTrip(client, readConnectionsLeft, countWorkerSessions);
    const share = Math.max(1, Math.floor(((left + ofWorkers) * shareForWorkers) / Math.max(1, live.length)));
    await assignConnections(client, key, share);
    this.#sharedAmong = ids;
    this.#share.connections = share;
    this.#isShared = true;
  }

  /** Concurrent with the heartbeats, as it may wait for transactions of the dead hosts. */
  #startFailover(dead: readonly HostRow[]): void {
    this.#failover ??= this.#failOverAll(dead)
      // The next heartbeat of any host tries again.
      .catch((error: unknown) => {
        const message = `failing over a dead host failed, and is tried again: ${error instanceof Error ? error.message : String(error)}`;
        this.#options.audience.onEvent({ kind: 'notice', message });
      })
      .finally(() => {
        this.#failover = undefined;
      });
  }

  async #failOverAll(dead: readonly HostRow[]): Promise<void> {
    const { config, audience, limits } = this.#options;
    await reachFailpoint('host-before-failover');
    await withSession(hostSession(config, audience, limits), async (session) => {
      for (const host of dead) await this.#failOver(session, host);
    });
  }

  async #failOver(session: Session, { hostId, name, isLead }: HostRow): Promise<void> {
    const { audience, jobs, limits } = this.#options;
    // First, since a host that hangs in a transaction may hold locks on its own row.
    await session.run((client) => endSessionsOfHost(client, hostId));
    const released = await session.transaction(async (client) => {
      if (!(await lockSilentHost(client, hostId, limits.deadAfterMs))) return null;
      return await endHost(client, jobs, hostId, 'dead');
    }, 'long');
    if (released === null) return;
    const { ranges: waiting, slots } = released;
    audience.onEvent({ kind: 'host-left', hostId, name, isLead, waiting, slots });
  }
}

function isOfKey(host: HostsKey, key: HostsKey): boolean {
  return host.sourceDb === key.sourceDb && host.schema === key.schema && host.selection === key.selection;
}
