/**
 * A host that does not lead: it loads or compares ranges of any run that has waiting ones, with workers of its own, and builds indexes.
 * Meanwhile it merges changes, if they are followed.
 */

import { formatPlural } from '../../common/format.ts';
import { targetOptions, type Config } from '../../config/config.ts';
import type { Listeners } from '../../observe/listeners.ts';
import { requireServer } from '../../postgres/connection/server-check.ts';
import type { Session } from '../../postgres/connection/session.ts';
import type { HostWork } from '../../postgres/ledger/hosts/host-work.ts';
import { findRunToBuild } from '../../postgres/ledger/hosts/host-builds.ts';
import { findSharedVerification } from '../../postgres/ledger/hosts/host-verifications.ts';
import { findSharedRun, type HostsKey, type LastLeader } from '../../postgres/ledger/hosts/hosts.ts';
import { untilNextPoll } from '../../postgres/ledger/hosts/poll.ts';
import { SupersededError } from '../../postgres/ledger/leadership.ts';
import { findStreamTime } from '../../postgres/ledger/streams/stream-collections.ts';
import { takeBuilds } from '../../postgres/table/build-together.ts';
import type { Database } from '../../source/database.ts';
import type { TransformFile } from '../../transcode/plan.ts';
import type { Pools } from '../../workers/pool/create-pool.ts';
import { openSource } from '../connections.ts';
import { withLane } from '../lane.ts';
import { withPace } from '../pace/pace-keeper.ts';
import { chooseSize, Workforce } from '../workforce.ts';
import { hostDiffers } from './agreement.ts';
import { copyRanges } from './host-copy.ts';
import { HostDrains } from './host-drains.ts';
import { compareRanges } from './host-verification.ts';
import type { Membership } from './membership.ts';

export interface ParticipationOptions {
  readonly config: Config;
  readonly membership: Membership;
  readonly key: HostsKey;
  readonly hosts: HostWork;
  readonly pools: Pools;
  readonly listeners: Listeners;
  readonly transform: TransformFile | null;
  readonly signal: AbortSignal;
}

/**
 * Resolves when no host leads any more.
 * @throws MigrationError, or the signal's reason
 */
export async function takePart(options: ParticipationOptions): Promise<void> {
  const { config, membership, listeners, signal, pools } = options;
  const audience = { onEvent: listeners.onEvent, signal };
  await withLane(
    config,
    audience,
    async ({ session }) => {
      await session.run(requireServer);
      const size = await chooseSize(config, session, listeners.onEvent, membership.share);
      const workforce = new Workforce(config, pools, size, audience);
      try {
        const database = await openSource(config, audience);
        try {
          const verb = membership.task === 'copy' ? 'copying' : 'comparing';
          const work = `${verb} ${database.name}, for another host`;
          await withPace({ ...audience, config, database, session, work }, (source) =>
            whileDraining(options, source, workforce, (both) =>
              new Participation({ ...options, signal: both }, session, source, workforce).workAll(),
            ),
          );
        } finally {
          await database.close();
        }
        await workforce.dismiss();
      } finally {
        await workforce.kill();
      }
    },
    'retry',
  );
}

/** Does `work`, and drains slots meanwhile if changes are followed. @param work is given a signal that is aborted if that fails */
async function whileDraining(
  { config, membership, key, hosts, listeners, transform, signal }: ParticipationOptions,
  database: Database,
  workforce: Workforce,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const { changes } = database;
  if (!config.follow || membership.task !== 'copy' || changes === undefined) {
    await work(signal);
    return;
  }
  const drains = new HostDrains({
    ...{ config, key, database, changes, workforce, transform, signal },
    hostId: hosts.hostId,
    onEvent: listeners.onEvent,
    isShared: () => membership.isShared,
  });
  try {
    await work(AbortSignal.any([signal, drains.failure]));
  } catch (error) {
    throw drains.failure.aborted && !signal.aborted ? drains.failure.reason : error;
  } finally {
    await drains.stop();
  }
}

class Participation {
  readonly #options: ParticipationOptions;
  readonly #session: Session;
  readonly #database: Database;
  readonly #workforce: Workforce;

  constructor(options: ParticipationOptions, session: Session, database: Database, workforce: Workforce) {
    this.#options = options;
    this.#session = session;
    this.#database = database;
    this.#workforce = workforce;
  }

  async workAll(): Promise<void> {
    const { membership, signal } = this.#options;
    while (isLeading(await membership.readLastLeader())) {
      signal.throwIfAborted();
      // The leader assigns connections with one of its heartbeats; waiting for one of this host as well would take longer.
      if (!membership.isShared) await membership.heartbeat();
      const hasWorked = membership.isShared && (await this.#work());
      // Another host may have taken the range first, or may soon release some.
      if (!hasWorked) await untilNextPoll(signal);
    }
  }

  /** @returns whether there was anything to do */
  async #work(): Promise<boolean> {
    // Nobody leads a copy that an earlier start has not finished.
    if (this.#options.membership.task === 'verify') return await this.#compare();
    return (await this.#copy()) || (await this.#build()) || (await this.#compare());
  }

  /** @returns whether this host read any range */
  async #copy(): Promise<boolean> {
    const { config, hosts, listeners, transform, key, membership } = this.#options;
    const run = await this.#session.run((client) => findSharedRun(client, key));
    if (run === null) return false;
    // If changes are followed, all later ones than this time are in the journal.
    const after = await this.#session.run((client) => findStreamTime(client, run.runId));
    const source = await this.#database.open(run.collection, config.filter, after ?? undefined);
    if (source.identity !== run.settings.collectionId) {
      throw hostDiffers('the leader', [`MONGO_URL has another collection ${source.name}`]);
    }
    const supervisor = await this.#workforce.supervise();
    const common = {
      config,
      session: this.#session,
      supervisor,
      source,
      hosts,
      listeners,
      transform,
    };
    const watched: Watched = {
      source: source.name,
      isOver: () => membership.isGivenUp(run.runId),
      message: 'the leader has given it up; this host commits what is in flight, and stops copying it',
    };
    return await this.#untilOver(watched, async (signal) => {
      const account = await copyRanges(run, { ...common, signal });
      listeners.onEvent({ kind: 'host-copied', source: source.name, ...account });
      return account.ranges > 0;
    });
  }

  /** @returns whether this host built anything */
  async #build(): Promise<boolean> {
    const { config, key, hosts, membership, listeners } = this.#options;
    const run = await this.#session.run((client) => findRunToBuild(client, key));
    if (run === null) return false;
    const { runId, source } = run;
    const watched: Watched = {
      source,
      isOver: () => membership.isGivenUp(runId),
      message: 'the leader has given it up; this host stops building indexes',
    };
    return await this.#untilOver(watched, async (signal) => {
      const jobs = Math.max(1, Math.min(config.indexJobs, membership.share.connections));
      const built = await takeBuilds(runId, hosts, { ...targetOptions(config), jobs, signal });
      if (built > 0) {
        const message = `this host has built ${formatPlural(built, 'key or index', 'keys and indexes')}`;
        listeners.onEvent({ kind: 'notice', source, message });
      }
      return built > 0;
    });
  }

  /** @returns whether this host compared any range */
  async #compare(): Promise<boolean> {
    const { key, membership, listeners } = this.#options;
    const verification = await this.#session.run((client) => findSharedVerification(client, key));
    if (verification === null) return false;
    const watched: Watched = {
      source: null,
      isOver: () => membership.isVerificationGivenUp(verification.verificationId),
      message: 'the leader has given the comparison up; this host stops comparing',
    };
    return await this.#untilOver(watched, async (signal) => {
      const account = await compareRanges(verification, {
        ...{ ...this.#options, session: this.#session, database: this.#database, workforce: this.#workforce },
        signal,
      });
      if (account === null) return false;
      listeners.onEvent({ kind: 'host-compared', ...account });
      return account.ranges > 0;
    });
  }

  /** Stops `work` once the leader has given it up: nobody finishes it, and doing more of it only costs time. */
  async #untilOver(watched: Watched, work: (signal: AbortSignal) => Promise<boolean>): Promise<boolean> {
    const { membership, signal } = this.#options;
    const givenUp = new AbortController();
    const over = new AbortController();
    const watching = this.#watch(watched, givenUp, AbortSignal.any([signal, over.signal]));
    try {
      return await work(AbortSignal.any([signal, givenUp.signal]));
    } catch (error) {
      if (signal.aborted) throw error;
      // What this host would record may be refused before it hears of it.
      // The connection may have broken since it was used last: then the second attempt has a new one.
      const isOver = (): Promise<boolean> => watched.isOver().catch(() => watched.isOver());
      const isRefused = error instanceof SupersededError && (await isOver());
      if (!givenUp.signal.aborted && !isRefused) throw error;
      await membership.release();
      return false;
    } finally {
      over.abort();
      await watching;
    }
  }

  /** A leader that cannot be asked for is no reason to stop: heartbeats notice that PostgreSQL is gone. */
  async #watch(
    { source, isOver, message }: Watched,
    givenUp: AbortController,
    signal: AbortSignal,
  ): Promise<void> {
    const { listeners } = this.#options;
    for (;;) {
      await untilNextPoll(signal);
      if (signal.aborted) return;
      if (!(await isOver().catch(() => false))) continue;
      listeners.onEvent({ kind: 'notice', ...(source === null ? {} : { source }), message });
      givenUp.abort();
      return;
    }
  }
}

/** Work that the leader may give up. */
interface Watched {
  readonly source: string | null;
  readonly isOver: () => Promise<boolean>;
  readonly message: string;
}

function isLeading(leader: LastLeader | null): boolean {
  return leader !== null && leader.endReason === null;
}
