/** Records the current state of a job for the live page. */

import { systemClock, type Clock } from '../../common/clock.ts';
import { countUnverified } from '../proof.ts';
import { describeEvent } from '../describe-event.ts';
import type { FailedEvent, ProgressEvent, RunEvent, VerifiedEvent } from '../events.ts';
import type { Summary } from '../summary.ts';
import type { FollowingEvent } from '../follow-events.ts';
import type { JobListener, RunObserver } from '../listeners.ts';
import type { LiveCollection, LiveFollowing, LiveState } from './live-state.ts';
import { LiveHistoryRecorder } from './live-history.ts';
import { WorkerBoard } from './worker-board.ts';

/** Nobody would read more, and sending thousands every second is expensive. */
const maxCollections = 100;
const maxWorkers = 100;
const maxNotices = 20;

export class JobRecorder implements JobListener {
  readonly #clock: Clock;
  readonly #startMs: number;
  readonly #history: LiveHistoryRecorder;
  readonly #workers: WorkerBoard;
  /** By source, in the order of their first events. */
  readonly #collections = new Map<string, LiveCollection>();
  #notices: string[] = [];
  #inFlight = { batches: 0, bytes: 0 };
  #following: FollowingEvent | null = null;
  #isCutOver = false;
  #end: string | null = null;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
    this.#startMs = clock.nowMs();
    this.#history = new LiveHistoryRecorder(clock);
    this.#workers = new WorkerBoard(clock);
  }

  onRun(): RunObserver {
    return this.#workers.observe();
  }

  onEvent(event: RunEvent): void {
    switch (event.kind) {
      case 'started':
        this.#update(event.source, {
          state: 'loading',
          table: `${event.plan.schema}.${event.plan.table}`,
          documents: event.committedDocuments,
          expectedDocuments: event.expectedDocuments,
        });
        this.#history.begin(event.source, event.committedDocuments);
        return;
      case 'progress':
        this.#progress(event);
        return;
      case 'finishing':
        this.#update(event.source, { state: 'building keys and indexes' });
        return;
      case 'summary':
        this.#summarize(event);
        return;
      case 'verifying':
        this.#update(event.source, {
          ...{ state: 'verifying', table: event.table, documents: 0, perSecond: 0 },
          expectedDocuments: event.expectedDocuments,
        });
        this.#history.begin(event.source, 0);
        return;
      case 'verified':
        this.#verified(event);
        return;
      case 'failed':
        this.#fail(event);
        return;
      case 'skipped':
        this.#update(event.source, { state: 'left out', reason: event.reason });
        return;
      case 'following':
        this.#follow(event);
        return;
      case 'cut-over':
        this.#cutOver();
        return;
      case 'worker-died':
        this.#workers.die(event.id);
        this.#note(event);
        return;
      case 'notice':
      case 'retried':
        this.#note(event);
        return;
      // Shown in the summary; hosts are shown by `status`.
      case 'index':
      case 'host-waiting':
      case 'host-joined':
      case 'host-left':
      case 'host-merging':
      case 'host-copied':
      case 'host-compared':
      case 'lead-taken':
        return;
    }
  }

  /** @param reason why the command ended early; empty if it did not */
  end(reason: string): void {
    this.#end = reason;
  }

  read(): LiveState {
    const collections = [...this.#collections.values()].sort((a, b) => rankOf(a) - rankOf(b));
    const workers = this.#workers.read();
    return {
      elapsedMs: this.#clock.nowMs() - this.#startMs,
      end: this.#end,
      collections: collections.slice(0, maxCollections),
      moreCollections: Math.max(0, collections.length - maxCollections),
      workers: workers.slice(0, maxWorkers),
      moreWorkers: Math.max(0, workers.length - maxWorkers),
      inFlightBatches: this.#inFlight.batches,
      inFlightBytes: this.#inFlight.bytes,
      deadLettered:
        this.#following?.deadLettered ?? collections.reduce((sum, { deadLettered }) => sum + deadLettered, 0),
      dropped: collections.reduce((sum, { dropped }) => sum + dropped, 0),
      following: this.#readFollowing(),
      notices: this.#notices,
      history: this.#history.read(),
    };
  }

  #progress(event: ProgressEvent): void {
    const { source, documents, committedBefore, expectedDocuments, elapsedMs } = event;
    const { deadLettered, dropped } = event;
    const perSecond = elapsedMs > 0 ? ((documents - committedBefore) * 1000) / elapsedMs : 0;
    const isVerifying = this.#collections.get(source)?.state === 'verifying';
    this.#update(source, {
      ...{ documents, expectedDocuments, perSecond },
      // The progress of a comparison does not count the dead letters of the run, or what it dropped.
      ...(isVerifying ? {} : { deadLettered, dropped }),
    });
    this.#history.progress(source, documents);
    this.#inFlight = { batches: event.inFlightBatches, bytes: event.inFlightBytes };
  }

  #summarize({ source, read, deadLettered, dropped }: Summary): void {
    const account = { documents: read, expectedDocuments: read, deadLettered, dropped };
    this.#update(source, { state: 'finished', ...account });
    this.#inFlight = { batches: 0, bytes: 0 };
  }

  #verified(event: VerifiedEvent): void {
    const { source, compared, missing, different, extra, extraChildRows, isCountOff } = event;
    const isEqual = missing + different + extra + extraChildRows === 0 && !isCountOff;
    this.#update(source, { state: isEqual ? 'equal' : 'different', documents: compared });
  }

  #fail(event: FailedEvent): void {
    this.#update(event.source, { state: 'failed', reason: event.message });
    this.#note(event);
  }

  #follow(event: FollowingEvent): void {
    this.#following = event;
    this.#history.follow(event);
    for (const { source, table, endedBy, waiting, inserted, updated, deleted } of event.collections) {
      this.#update(source, {
        ...{ table, reason: endedBy, changes: { waiting, inserted, updated, deleted } },
        state: endedBy === null ? 'following' : 'followed no more',
      });
    }
  }

  #cutOver(): void {
    this.#isCutOver = true;
    for (const { source, state } of this.#collections.values()) {
      if (state === 'following') this.#update(source, { state: 'cut over' });
    }
  }

  #readFollowing(): LiveFollowing | null {
    if (this.#following === null) return null;
    const { source, lagMs, waiting, refused, changesPerSecond, documentsMerged } = this.#following;
    const { deadLettered, oplogWindowMs, liveWorkers, workers, obstacles } = this.#following;
    return {
      ...{ source, lagMs, waiting, refused, changesPerSecond, documentsMerged, deadLettered },
      ...{ oplogWindowMs, liveWorkers, workers, obstacles, isCutOver: this.#isCutOver },
      unverified: countUnverified(this.#following.collections),
    };
  }

  #update(source: string, changes: Partial<LiveCollection>): void {
    this.#collections.set(source, { ...(this.#collections.get(source) ?? unknown(source)), ...changes });
  }

  #note(event: RunEvent): void {
    const line = describeEvent(event);
    if (line !== null) this.#notices = [...this.#notices, line].slice(-maxNotices);
  }
}

function unknown(source: string): LiveCollection {
  return {
    ...{ source, table: null, state: 'loading', documents: 0, expectedDocuments: 0, perSecond: 0 },
    ...{ deadLettered: 0, dropped: 0, changes: null, reason: null },
  };
}

/** Active collections first, then failed ones, then finished ones. */
function rankOf({ state }: LiveCollection): number {
  switch (state) {
    case 'loading':
    case 'building keys and indexes':
    case 'verifying':
      return 0;
    case 'failed':
    case 'different':
    case 'followed no more':
      return 1;
    case 'following':
      return 2;
    case 'finished':
    case 'equal':
    case 'cut over':
      return 3;
    case 'left out':
      return 4;
  }
}
