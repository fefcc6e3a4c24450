/** Says about once a second how following stands. */

import type { RunEvent } from '../../observe/events.ts';
import type { FollowingEvent } from '../../observe/follow-events.ts';
import { describePostgres } from '../../postgres/connection/connection.ts';
import type { Session } from '../../postgres/connection/session.ts';
import { maxLagMs } from '../../postgres/ledger/stream-status.ts';
import { differenceMs } from '../../source/cluster-time.ts';
import type { Supervisor } from '../../workers/supervisor/supervisor.ts';
import type { ChangeReader } from './change-reader.ts';
import type { Drains } from './drains.ts';

export interface FollowStatusOptions {
  readonly source: string;
  readonly url: string;
  readonly reader: ChangeReader;
  readonly drains: Drains;
  readonly session: Session;
  readonly supervisor: Supervisor;
  readonly onEvent: (event: RunEvent) => void;
}

const tellEveryMs = 1_000;
const countLettersEveryMs = 5_000;
/** The rate is that of so long. */
const rateOverMs = 5_000;

export class FollowStatus {
  readonly #options: FollowStatusOptions;
  #toldMs = -Infinity;
  #lettersMs = -Infinity;
  #letters = 0;
  #points: { readonly atMs: number; readonly merged: number }[] = [];

  constructor(options: FollowStatusOptions) {
    this.#options = options;
  }

  /** Says nothing when it is too early. */
  async tell(): Promise<void> {
    const nowMs = performance.now();
    if (nowMs - this.#toldMs < tellEveryMs) return;
    this.#toldMs = nowMs;
    await this.#countLetters(nowMs);
    this.#options.onEvent(this.#read(nowMs));
  }

  async #countLetters(nowMs: number): Promise<void> {
    if (nowMs - this.#lettersMs < countLettersEveryMs) return;
    this.#lettersMs = nowMs;
    const { session, drains } = this.#options;
    const runIds = drains.followed.map(({ runId }) => runId);
    const { rows } = await session.run((client) =>
      client.query<{ count: number }>(
        'SELECT count(*)::int AS count FROM mongo2pg.dead_letters WHERE run_id = ANY ($1)',
        [runIds],
      ),
    );
    this.#letters = rows[0]?.count ?? 0;
  }

  #read(nowMs: number): FollowingEvent {
    const { source, url, reader, drains, supervisor } = this.#options;
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
      obstacles: listObstacles({ lagMs, refused, collections }),
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
}: Pick<FollowingEvent, 'lagMs' | 'refused' | 'collections'>): string[] {
  const ended = collections.filter(({ endedBy }) => endedBy !== null).map(({ source }) => source);
  return [
    ...(lagMs > maxLagMs ? [`${Math.round(lagMs / 1000)} s behind`] : []),
    ...(refused > 0 ? [`PostgreSQL refuses ${refused} rows`] : []),
    ...(ended.length > 0 ? [`followed no more: ${ended.join(', ')}`] : []),
  ];
}
