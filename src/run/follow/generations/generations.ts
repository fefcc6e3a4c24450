/**
 * Compares documents with their rows while changes are followed, so that a cutover has little left to compare: one collection at a
 * time, step by step.
 *
 * Merges take precedence: one batch is compared at a time, for a share of the time, and none while merging lags or a cutover is in
 * progress.
 */

import { Announcements } from '../../../common/announcements.ts';
import { SourceChangedError } from '../../../common/errors.ts';
import type { Config } from '../../../config/config.ts';
import type { ProofState } from '../../../observe/follow-events.ts';
import { requireComparable } from '../../../postgres/compare/comparison-check.ts';
import { explainDatabaseError } from '../../../postgres/connection/connection.ts';
import { Session } from '../../../postgres/connection/session.ts';
import { maxLagMs } from '../../../postgres/ledger/streams/stream-status.ts';
import { describeUnfinished, listUnfinished } from '../../../postgres/ledger/promotions.ts';
import { tryLockComparison, unlockComparison } from '../../../postgres/ledger/run-lock.ts';
import { findVerification } from '../../../postgres/ledger/streams/verifications.ts';
import { findRunById, listRuns } from '../../../postgres/ledger/runs.ts';
import type { Changes } from '../../../source/changes.ts';
import { differenceMs, type ClusterTime } from '../../../source/cluster-time.ts';
import type { Database } from '../../../source/database.ts';
import type { Supervisor } from '../../../workers/supervisor/supervisor.ts';
import { primarySession, type Audience } from '../../connections.ts';
import { describeFailure } from '../../failure.ts';
import type { ChangeReader } from '../change-reader.ts';
import type { Drains } from '../drains.ts';
import type { Followed } from '../followed.ts';
import type { FollowLimits } from '../limits.ts';
import { ComparedCollection } from './compared-collection.ts';

export interface GenerationsOptions extends Audience {
  readonly config: Config;
  readonly database: Database;
  readonly changes: Changes;
  readonly supervisor: Supervisor;
  readonly reader: Pick<ChangeReader, 'position' | 'serverTime' | 'isEnding'>;
  readonly drains: Pick<Drains, 'followed' | 'waiting'>;
  readonly limits: Pick<FollowLimits, 'maxNoted'>;
}

/** With more pending changes nothing is compared, and neither while the lag is too large for a cutover. */
const maxWaiting = 10_000;

/** Pause between generations, so that constant merges do not cause constant comparisons. */
const idleMs = 1_000;

/** How often to check whether comparing is allowed. */
const pollIntervalMs = 200;
const longestPauseMs = 60_000;

export class Generations {
  readonly #options: GenerationsOptions;
  readonly #pauses = new Announcements();
  /** By collection number in the stream. */
  readonly #compared = new Map<number, ComparedCollection>();
  /** Collections that cannot be compared while following. */
  readonly #leftOut = new Set<number>();
  #isStopping = false;
  #running: Promise<void> = Promise.resolve();

  constructor(options: GenerationsOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#options.config.verifyShare > 0) this.#running = this.#run();
  }

  /** Resolves when no comparison is in flight. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#pauses.announce();
    for (const compared of this.#compared.values()) compared.stop();
    await this.#running;
  }

  /** As last counted; null if nothing is known. */
  proofOf(collectionNo: number): ProofState | null {
    return this.#compared.get(collectionNo)?.proof ?? null;
  }

  /** Never rejects: following continues without comparisons. */
  async #run(): Promise<void> {
    const { config, supervisor, signal } = this.#options;
    let session: Session | undefined;
    try {
      const named = { ...primarySession(config, this.#options), applicationName: 'mongo2pg verification' };
      session = await Session.open(named, 'retry');
      while (!this.#mustStop() && !signal.aborted && !supervisor.hasFailed) {
        let hasWorked = false;
        for (const followed of this.#options.drains.followed) {
          await this.#waitUntilCalm();
          if (this.#mustStop()) return;
          if (await this.#attempt(followed, session)) hasWorked = true;
        }
        if (!hasWorked) await this.#pause(idleMs);
      }
    } catch (error) {
      this.#report('', error);
    } finally {
      for (const compared of this.#compared.values()) await compared.close();
      await session?.close();
    }
  }

  /** @returns whether there was something to do */
  async #attempt(followed: Followed, session: Session): Promise<boolean> {
    const { collectionNo } = followed.place;
    if (this.#leftOut.has(collectionNo) || followed.endedBy !== null || followed.isGone) return false;
    if (followed.failure !== null) return false;
    const startedMs = performance.now();
    try {
      const compared = this.#compared.get(collectionNo) ?? (await this.#load(followed, session));
      const hasWorked = compared !== null && (await this.#stepAlone(compared, followed, session));
      const tookMs = performance.now() - startedMs;
      const { verifyShare } = this.#options.config;
      if (hasWorked) await this.#pause(Math.min(longestPauseMs, tookMs / verifyShare - tookMs));
      return hasWorked;
    } catch (error) {
      this.#compared.get(collectionNo)?.stop();
      // The stream reports what happened to it.
      if (error instanceof SourceChangedError || this.#mustStop()) return false;
      this.#leftOut.add(collectionNo);
      this.#report(`${followed.source}: `, error);
      return false;
    }
  }

  /** Takes a step unless a cutover is comparing. @returns whether there was something to do, and it was done */
  async #stepAlone(compared: ComparedCollection, { place }: Followed, session: Session): Promise<boolean> {
    const { streamId } = place;
    if (!(await session.run((client) => tryLockComparison(client, streamId)))) return false;
    try {
      return await compared.step();
    } finally {
      await session.run((client) => unlockComparison(client, streamId));
    }
  }

  /** @returns null if it cannot be compared while following, or not yet */
  async #load(followed: Followed, session: Session): Promise<ComparedCollection | null> {
    const { config, database, changes, supervisor, limits } = this.#options;
    const { place, runId } = followed;
    const run = await session.run((client) => findRunById(client, runId));
    if (run === null) return null;
    const { plan } = run.settings;
    await session.run((client) => requireComparable(client, plan));
    const [unfinished] = await session.run((client) => listUnfinished(client, [runId]));
    // It cannot be finished while this process follows.
    if (unfinished !== undefined) {
      this.#leftOut.add(place.collectionNo);
      this.#notice(
        `${followed.source}: ${describeUnfinished(unfinished)}, so that documents are not compared while following`,
      );
      return null;
    }
    const others = await session.run((client) => listRuns(client, plan));
    if (others.length > 1 || run.rowsBefore + run.childRowsBefore > 0) {
      this.#leftOut.add(place.collectionNo);
      const why = `the table ${followed.table} has rows of other runs, so that cutover compares everything`;
      this.#notice(`${followed.source}: ${why}`);
      return null;
    }
    const state = await session.run((client) => findVerification(client, place));
    const compared = new ComparedCollection({
      ...{ config, database, changes, supervisor, session, followed, run, state, limits },
      say: (message) => {
        this.#notice(message);
      },
    });
    this.#compared.set(place.collectionNo, compared);
    return compared;
  }

  #mustStop(): boolean {
    return this.#isStopping;
  }

  async #waitUntilCalm(): Promise<void> {
    while (!this.#mustStop() && !this.#isCalm()) await this.#pause(pollIntervalMs);
  }

  #isCalm(): boolean {
    const { reader, drains } = this.#options;
    const { changes, oldest } = drains.waiting;
    const since: ClusterTime = oldest ?? reader.position;
    return !reader.isEnding && changes <= maxWaiting && differenceMs(since, reader.serverTime) <= maxLagMs;
  }

  async #pause(ms: number): Promise<void> {
    if (!this.#mustStop()) await this.#pauses.next(ms);
  }

  #notice(message: string): void {
    this.#options.onEvent({ kind: 'notice', message });
  }

  /** Following continues without it. */
  #report(source: string, error: unknown): void {
    if (this.#mustStop() || this.#options.signal.aborted) return;
    const { message } = describeFailure(
      source,
      explainDatabaseError(error, this.#options.config.postgresUrl),
    );
    this.#notice(
      `${source}documents are not compared while following: ${message}; cutover compares everything`,
    );
  }
}
