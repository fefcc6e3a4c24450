/** Reports the status of following about once a second. */

import type { RunEvent } from '../../observe/events.ts';
import type { Failure } from '../../observe/outcome.ts';
import type { FollowingEvent } from '../../observe/follow-events.ts';
import { describePostgres } from '../../postgres/connection/connection.ts';
import type { Session } from '../../postgres/connection/session.ts';
import { describeUnfinished, listUnfinished } from '../../postgres/ledger/promotions.ts';
import { listDifferent, maxLagMs } from '../../postgres/ledger/streams/stream-status.ts';
import { differenceMs } from '../../source/cluster-time.ts';
import type { Supervisor } from '../../workers/supervisor/supervisor.ts';
import type { ChangeReader } from './change-reader.ts';
import type { Drains } from './drains.ts';
import type { Generations } from './generations/generations.ts';

export interface FollowStatusOptions {
  readonly source: string;
  readonly url: string;
  readonly reader: ChangeReader;
  readonly drains: Drains;
  readonly generations: Pick<Generations, 'proofOf'>;
  /** Collections that are not followed, or not any more. */
  readonly listStopped: () => readonly Failure[];
  readonly session: Session;
  readonly supervisor: Supervisor;
  readonly onEvent: (event: RunEvent) => void;
}

const reportIntervalMs = 1_000;
const countEveryMs = 5_000;
/** The period over which the rate is measured. */
const rateOverMs = 5_000;

export class FollowStatus {
  readonly #options: FollowStatusOptions;
  #reportedMs = -Infinity;
  #countedMs = -Infinity;
  #letters = 0;
  #unfinished: readonly string[] = [];
  #points: { readonly atMs: number; readonly merged: number }[] = [];

  constructor(options: FollowStatusOptions) {
    this.#options = options;
  }

  /** Does nothing if the last report is too recent. */
  async report(): Promise<void> {
    const nowMs = performance.now();
    if (nowMs - this.#reportedMs < reportIntervalMs) return;
    this.#reportedMs = nowMs;
    await this.#count(nowMs);
    this.#options.onEvent(this.#read(nowMs));
  }

  async #count(nowMs: number): Promise<void> {
    if (nowMs - this.#countedMs < countEveryMs) return;
    this.#countedMs = nowMs;
    const { session, drains } = this.#options;
    const runIds = drains.followed.map(({ runId }) => runId);
    const { rows } = await session.run((client) =>
      client.query<{ count: number }>(
        'SELECT count(*)::int AS count FROM mongo2pg.dead_letters WHERE run_id = ANY ($1)',
        [runIds],
      ),
    );
    this.#letters = rows[0]?.count ?? 0;
    const unfinished = await session.run((client) => listUnfinished(client, runIds));
    this.#unfinished = unfinished.map(describeUnfinished);
  }

  #read(nowMs: number): FollowingEvent {
    const { source, url, reader, drains, generations, listStopped, supervisor } = this.#options;
    const stopped = listStopped().map((each) => ({ source: each.source, reason: each.message }));
    const { changes: waiting, refused, oldest } = drains.waiting;
    const readLagMs = differenceMs(reader.position, reader.serverTime);
    const oldestWaitingMs = oldest === null ? 0 : differenceMs(oldest, reader.serverTime);
    const lagMs = Math.max(readLagMs, oldestWaitingMs);
    const collections = drains.followed.map((each) => ({
      source: each.source,
      table: each.table,
      waiting: drains.waitingOf(each.place.collectionNo),
      inserted: each.inserted,
      updated: each.updated,
      deleted: each.deleted,
      endedBy: each.endedBy,
      proof: generations.proofOf(each.place.collectionNo),
    }));
    return {
      kind: 'following',
      source,
      target: describePostgres(url),
      ...{ readLagMs, lagMs, oldestWaitingMs, waiting, refused, collections },
      changesRead: reader.changesRead,
      documentsMerged: drains.merged,
      changesPerSecond: this.#rate(nowMs),
      events: { ...reader.events },
      oplogWindowMs: reader.oldestTime === null ? null : differenceMs(reader.oldestTime, reader.serverTime),
      deadLettered: this.#letters,
      stopped,
      obstacles: [...listObstacles({ lagMs, refused, collections, stopped }), ...this.#unfinished],
      workers: supervisor.size,
      liveWorkers: supervisor.liveWorkers,
    };
  }

  #rate(nowMs: number): number {
    const { merged } = this.#options.drains;
    this.#points = [
      ...this.#points.filter(({ atMs }) => nowMs - atMs <= rateOverMs),
      { atMs: nowMs, merged },
    ];
    const [first] = this.#points;
    if (first === undefined || nowMs === first.atMs) return 0;
    return Math.round(((merged - first.merged) * 1000) / (nowMs - first.atMs));
  }
}

function listObstacles({
  lagMs,
  refused,
  collections,
  stopped,
}: Pick<FollowingEvent, 'lagMs' | 'refused' | 'collections' | 'stopped'>): string[] {
  return [
    ...(lagMs > maxLagMs ? [`${Math.round(lagMs / 1000)} s behind`] : []),
    ...(refused > 0 ? [`PostgreSQL refuses ${refused} rows`] : []),
    ...listDifferent(collections.map(({ proof }) => proof)),
    ...(stopped.length > 0 ? [`stopped: ${stopped.map(({ source }) => source).join(', ')}`] : []),
  ];
}
