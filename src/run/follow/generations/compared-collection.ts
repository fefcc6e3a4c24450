/**
 * The comparison of one followed collection with its rows, as known to this process: what to compare next, and the results. Results
 * are recorded in the ledger, from where another process can resume.
 *
 * unknown ──merges are noted──→ noted ──all before has ended──→ comparing all ──→ verified ──┐
 *    ↑                                                                       │ ↑        │
 *    └── rows that no merge has written, or notes without end ───────────────┘ └────────┘
 *                                                              generations: what is noted is compared again
 * Invariants (why they are enough is in docs/reliability.md)
 * - merges are noted before the first document is read, and no document is read at an earlier time;
 * - a document that differed, or was merged since it was taken for comparison, stays noted.
 */

import { SourceChangedError } from '../../../common/errors.ts';
import { reachFailpoint } from '../../../common/failpoints/failpoints.ts';
import { TimeShare } from '../../../common/time-share.ts';
import type { Config } from '../../../config/config.ts';
import type { ProofState } from '../../../observe/follow-events.ts';
import type { Session } from '../../../postgres/connection/session.ts';
import { checkTables, describeCheck, keepCheck } from '../../../postgres/follow/table-check.ts';
import { dateDifferences } from '../../../postgres/follow/unverified.ts';
import { readProof } from '../../../postgres/ledger/streams/proofs.ts';
import { requireEpoch } from '../../../postgres/ledger/streams/stream.ts';
import type { Run } from '../../../postgres/ledger/runs.ts';
import {
  advanceVerification,
  beginVerification,
  findVerification,
  forgetVerification,
  noteMerges,
  type VerificationState,
} from '../../../postgres/ledger/streams/verifications.ts';
import type { Changes } from '../../../source/changes.ts';
import type { Database } from '../../../source/database.ts';
import type { Page } from '../../../source/page.ts';
import type { Supervisor } from '../../../workers/supervisor/supervisor.ts';
import type { Followed } from '../followed.ts';
import type { FollowLimits } from '../limits.ts';
import { Generation } from './generation.ts';
import { Proving } from './proving.ts';

export interface ComparedCollectionOptions {
  readonly config: Config;
  readonly database: Pick<Database, 'open'>;
  readonly changes: Changes;
  readonly supervisor: Supervisor;
  /** A session of its own, so that counting does not delay merges. */
  readonly session: Session;
  readonly followed: Followed;
  readonly run: Run;
  /** Its state in the ledger; null if there is none. */
  readonly state: VerificationState | null;
  readonly limits: Pick<FollowLimits, 'maxNoted'>;
  readonly say: (message: string) => void;
}

/** Small, so that a drain does not wait long for a worker. */
const maxItemsPerPage = 5_000;

/** How often the tables are checked for writes of other programs: by time, and by merges since. */
const sweepEveryMs = 600_000;
const maxMerges = 100_000;
/** Counting and checking may take at most this share of the time. */
const countShare = 0.05;
const countEveryMs = 2_000;

type Pages = AsyncGenerator<Page, void, undefined>;

export class ComparedCollection {
  readonly #options: ComparedCollectionOptions;
  #state: VerificationState | null;
  /** The transaction since which merges are noted, until the comparison has begun. */
  #noted: bigint | null = null;
  /** The present generation. */
  #generation: Generation | null = null;
  #proving: Proving | null = null;
  #pages: Pages | null = null;
  #proof: ProofState | null = null;
  /** Number of merges since the tables were checked. */
  #merges = 0;
  readonly #counts = new TimeShare(countShare);
  readonly #sweeps = new TimeShare(countShare, false);

  constructor(options: ComparedCollectionOptions) {
    this.#options = options;
    this.#state = options.state;
  }

  /** As last counted. */
  get proof(): ProofState | null {
    return this.#proof;
  }

  /** Takes the next step. @returns whether there was something to do @throws SourceChangedError */
  async step(): Promise<boolean> {
    await this.#count();
    const state = this.#state;
    if (state === null) return await this.#begin();
    if (this.#isSweepDue() && !(await this.#sweep())) return true;
    if (state.finishedAt === null) return await this.#compareAll(state);
    return await this.#compareNoted();
  }

  /** Discards the comparisons in flight. */
  stop(): void {
    this.#proving?.end();
  }

  async close(): Promise<void> {
    await this.#pages?.return().catch(() => undefined);
  }

  /** @returns whether the comparison has begun */
  async #begin(): Promise<boolean> {
    const { followed, run, session } = this.#options;
    const { place } = followed;
    const noted = this.#noted ?? (await this.#noteMerges());
    this.#noted = noted;
    this.#state = await session.transaction(
      (client) => beginVerification(client, place, run.settings.plan, noted),
      'long',
    );
    if (this.#state === null) return false;
    this.#noted = null;
    this.#generation = null;
    await reachFailpoint('primary-after-verification-begins');
    return true;
  }

  async #noteMerges(): Promise<bigint> {
    const { followed, session } = this.#options;
    return await session.transaction(async (client) => {
      await requireEpoch(client, followed.place);
      return await noteMerges(client, followed.place);
    });
  }

  /** The next page of all documents. */
  async #compareAll(state: VerificationState): Promise<boolean> {
    const { followed, session } = this.#options;
    let { position, compared } = state;
    this.#pages ??= await this.#readPages(state);
    const { value: page } = await this.#pages.next();
    if (page !== undefined) {
      await reachFailpoint('primary-before-verified-page');
      const proving = this.#requireProving();
      await proving.comparePage(page, position);
      await proving.settle(state.sinceTime);
      await reachFailpoint('primary-after-verified-page');
      position = Buffer.from(page.last);
      compared += page.documentCount;
    }
    const next = { position, compared };
    const isAtEnd = page === undefined;
    this.#state = await session.run((client) =>
      advanceVerification(client, followed.place, state, next, isAtEnd),
    );
    if (isAtEnd) await this.#recount();
    return true;
  }

  /** Reads all documents after the compared ones, at a time when merges are noted. */
  async #readPages({ position, sinceTime }: VerificationState): Promise<Pages> {
    const { config, database, followed } = this.#options;
    const { collection, identity, source: name } = followed;
    const source = await database.open(collection, config.filter, sinceTime);
    if (source.identity !== identity) throw replaced(name);
    return source.pages({ after: position, until: null }, Math.min(config.itemsPerPage, maxItemsPerPage));
  }

  /** Compares the next noted documents. @returns false at the end of the generation */
  async #compareNoted(): Promise<boolean> {
    const { changes, followed, session } = this.#options;
    const { place } = followed;
    this.#generation ??= new Generation(session, place);
    const generation = this.#generation;
    const taken = await generation.next();
    if (taken === null) {
      this.#generation = null;
      if (generation.taken > 0) await this.#recount();
      return false;
    }
    await reachFailpoint('primary-before-generation');
    const proving = this.#requireProving();
    await proving.compareNoted(taken.ids, taken.time);
    await proving.settle(taken.time);
    await reachFailpoint('primary-before-notes-removed');
    await generation.settle(taken);
    // All differing documents were read before this.
    const now = await changes.readTime();
    await session.run((client) => dateDifferences(client, place, now));
    return true;
  }

  #isSweepDue(): boolean {
    return this.#sweeps.isDue(this.#merges > maxMerges ? 0 : sweepEveryMs);
  }

  /** @returns false if everything must be compared again */
  async #sweep(): Promise<boolean> {
    const { followed, run, session, say } = this.#options;
    const { place, source } = followed;
    // As for the count below, the time that the session waits for a server that is away is no part of it.
    const why = await session.transaction(
      (client) =>
        this.#sweeps.do(async () => {
          const found = describeCheck(await checkTables(client, place, run.settings.plan));
          if (found === null) await keepCheck(client, place);
          return found;
        }),
      'long',
    );
    this.#state = await session.run((client) => findVerification(client, place));
    if (why === null) return true;
    say(`${source}: ${why}; all documents are compared again`);
    await this.#forget();
    return false;
  }

  async #forget(): Promise<void> {
    const { followed, session } = this.#options;
    await this.#pages?.return();
    this.#pages = null;
    await session.transaction((client) => forgetVerification(client, followed.place));
    this.#state = null;
    this.#noted = null;
  }

  async #count(): Promise<void> {
    if (this.#counts.isDue(countEveryMs)) await this.#recount();
  }

  async #recount(): Promise<void> {
    const { followed, session, limits, say } = this.#options;
    const { proof, merges } = await session.run((client) =>
      this.#counts.do(() => readProof(client, followed.place)),
    );
    this.#proof = proof;
    this.#merges = merges;
    if (proof === null || proof.unverified <= limits.maxNoted) return;
    say(`${followed.source}: too many documents are noted; all are compared again`);
    await this.#forget();
  }

  #requireProving(): Proving {
    const { config, supervisor, changes, followed, run } = this.#options;
    const { place, runId, collection, identity } = followed;
    this.#proving ??= new Proving({
      ...{ config, supervisor, changes, place, runId, plan: run.settings.plan },
      ...{ collection: { collection, identity }, filter: config.filter },
    });
    return this.#proving;
  }
}

function replaced(source: string): SourceChangedError {
  return new SourceChangedError(`${source} is not the collection that was copied`, {
    code: 'SOURCE_REPLACED',
    fix: 'the stream reports what happened to it.',
  });
}
