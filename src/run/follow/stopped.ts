/**
 * Collections of a stream that have stopped while the others are followed, and why. Each is reported once, and listed at the end,
 * which is then a failure.
 */

import { SourceChangedError } from '../../common/errors.ts';
import { collectionOf } from '../../common/namespace.ts';
import type { RunEvent } from '../../observe/events.ts';
import type { Failure } from '../../observe/outcome.ts';
import { explainDatabaseError } from '../../postgres/connection/connection.ts';
import { qualifiedName } from '../../postgres/connection/relations.ts';
import type { Session } from '../../postgres/connection/session.ts';
import { findRunById } from '../../postgres/ledger/runs.ts';
import {
  giveUpCollections,
  listFailuresBefore,
  markStopped,
} from '../../postgres/ledger/streams/stopped-collections.ts';
import {
  listStreamCollections,
  type StreamCollection,
} from '../../postgres/ledger/streams/stream-collections.ts';
import type { Database } from '../../source/database.ts';
import { describeFailure } from '../failure.ts';
import type { Followed } from './followed.ts';

export interface StoppedCollectionsOptions {
  readonly session: Session;
  readonly streamId: string;
  readonly database: Pick<Database, 'name'>;
  readonly postgresUrl: string;
  readonly onEvent: (event: RunEvent) => void;
}

export class StoppedCollections {
  readonly #options: StoppedCollectionsOptions;
  /** By the name of the collection. */
  readonly #failures = new Map<string, Failure>();
  readonly #givenUp = new Set<string>();

  constructor(options: StoppedCollectionsOptions) {
    this.#options = options;
  }

  list(): readonly Failure[] {
    return [...this.#failures.values()];
  }

  /** Adds collections that could not be copied, and that events have reported. */
  addUncopied(failures: readonly Failure[]): void {
    for (const failure of failures) this.#failures.set(collectionOf(failure.source), failure);
  }

  /** Reports collections that have stopped since. */
  async look(followed: readonly Followed[], collections: readonly StreamCollection[]): Promise<void> {
    for (const one of followed) {
      const known = collections.find(({ collectionNo }) => collectionNo === one.place.collectionNo);
      one.endedBy = known?.endedBy ?? null;
      if (one.failure === null || this.#failures.has(one.collection)) continue;
      const { session, streamId, postgresUrl } = this.#options;
      const failure = describeFailure(one.source, explainDatabaseError(one.failure, postgresUrl));
      await session.run((client) => markStopped(client, streamId, one.collection, failure));
      this.#report(one.collection, failure);
    }
    for (const { collection, runId, endedBy } of collections) {
      if (endedBy === null || runId === null || this.#failures.has(collection)) continue;
      this.#report(collection, await this.#describeEnd(collection, runId, endedBy));
    }
  }

  /** Reports what stopped before the stream was cut over, in the place of the process that has followed it and is lost. */
  async recall(): Promise<void> {
    const { session, streamId } = this.#options;
    const failures = await session.run((client) => listFailuresBefore(client, streamId));
    for (const failure of failures) this.#report(collectionOf(failure.source), failure);
    await this.look([], await session.run((client) => listStreamCollections(client, streamId)));
  }

  /**
   * Discards the changes of failed collections, so that their next start is from scratch.
   * @returns whether there were any
   */
  async giveUp(): Promise<boolean> {
    const { session, streamId } = this.#options;
    const given = [...this.#failures]
      .filter(([name, { code }]) => code !== 'FOLLOWED_ENDED' && !this.#givenUp.has(name))
      .map(([collection, { message }]) => ({ collection, reason: message }));
    if (given.length === 0) return false;
    await session.transaction((client) => giveUpCollections(client, streamId, given));
    for (const { collection } of given) this.#givenUp.add(collection);
    return true;
  }

  #report(collection: string, failure: Failure): void {
    this.#failures.set(collection, failure);
    this.#options.onEvent({ kind: 'failed', work: 'copy', ...failure, isAlone: true });
  }

  async #describeEnd(collection: string, runId: string, endedBy: string): Promise<Failure> {
    const { session, database } = this.#options;
    const source = `${database.name}.${collection}`;
    const run = await session.run((client) => findRunById(client, runId));
    const table = run === null ? 'its table' : `the table ${qualifiedName(run.settings.plan)}`;
    const error = new SourceChangedError(`${source} is not followed any more: ${endedBy}`, {
      code: 'FOLLOWED_ENDED',
      fix: `${table} is kept as it is; to copy the collection that has this name now, use --restart-only ${collection}.`,
    });
    return describeFailure(source, error);
  }
}
