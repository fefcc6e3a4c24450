/** Copies one collection: opens it, locks its table, and migrates it. */

import {
  InterruptedError,
  NoCollectionError,
  NothingToCopyError,
  SourceChangedError,
} from '../../common/errors.ts';
import { isFromScratch } from '../../config/collection-choice.ts';
import { chooseTable, listTables } from '../../plan/plan-table.ts';
import { explainDatabaseError } from '../../postgres/connection/connection.ts';
import { hasLedger } from '../../postgres/ledger/ledger.ts';
import { describeRun } from '../../postgres/ledger/run-decision.ts';
import { lockTable } from '../../postgres/ledger/run-lock.ts';
import { findUnfinishedRun } from '../../postgres/ledger/runs.ts';
import type { Source } from '../../source/source.ts';
import { describeFailure, handOverIf, stopsAll } from '../failure.ts';
import type { JobOptions } from './options.ts';
import type { Lane } from '../lane.ts';
import type { RunStream } from '../collection/prepare.ts';
import { Migration, type Copied } from '../collection/migration.ts';

export interface CopyOptions {
  /** All collections that are copied with it. */
  readonly collections: readonly string[];
  /** The job in the ledger; null for a single collection. */
  readonly jobId: string | null;
  /** No other collection is copied after it or at the same time. */
  readonly isLast: boolean;
  readonly signal: AbortSignal;
  /** How many of its indexes are built at a time. */
  readonly indexJobs: number;
}

export class CollectionCopier {
  readonly #options: JobOptions;

  constructor(options: JobOptions) {
    this.#options = options;
  }

  /**
   * Reports a failure as an event. An interruption, or a collection without documents, is not a failure.
   * @throws MigrationError
   */
  async copy(lane: Lane, collection: string, options: CopyOptions): Promise<Copied> {
    const { config, listeners, database, handsOver } = this.#options;
    try {
      return await this.#migrate(lane, collection, options);
    } catch (thrown) {
      const error = await handOverIf(explainDatabaseError(thrown, config.postgresUrl), handsOver);
      if (!isNotFailure(error)) {
        const source = `${database.name}.${collection}`;
        const isAlone = options.jobId !== null && !stopsAll(error, options.signal);
        listeners.onEvent({ kind: 'failed', work: 'copy', ...describeFailure(source, error), isAlone });
      }
      throw error;
    }
  }

  async #migrate(
    lane: Lane,
    collection: string,
    { collections, jobId, isLast, signal, indexJobs }: CopyOptions,
  ): Promise<Copied> {
    const { config, planFile, transform, isTrial, listeners, workforce, hosts } = this.#options;
    const table = chooseTable(config.postgresSchema, collection, planFile);
    const source = await this.#open(lane, collection);
    const stream = await this.#streamOf(collection);
    if (stream?.runId === null && (await source.sample(1)).documents.length === 0) {
      throw noDocuments(source.name);
    }
    await lane.lock((client) => lockTable(client, table));
    const migration = new Migration({
      ...{ session: lane.session, supervisor: await workforce.supervise(), source, table },
      config: { ...config, indexJobs, restart: isFromScratch(collection, config) },
      ...{ jobId, planFile, transform, isTrial, listeners, signal },
      otherTables: listTables(collections, collection),
      ...(stream === null ? {} : { stream }),
      ...(hosts === undefined ? {} : { hosts }),
      onLoaded: async () => {
        // Stops the workers first: index builds need their memory and connections.
        if (isLast && stream === null) await workforce.dismiss();
      },
    });
    return await migration.execute();
  }

  async #streamOf(collection: string): Promise<RunStream | null> {
    const { follower } = this.#options;
    if (follower === undefined) return null;
    const run = await follower.findRun(collection);
    return { streamId: follower.streamId, runId: run?.runId ?? null };
  }

  /** @throws SourceChangedError if it has an unfinished run, and no documents any more */
  async #open(lane: Lane, collection: string): Promise<Source> {
    const { config, database, follower } = this.#options;
    try {
      return await database.open(collection, config.filter, follower?.time);
    } catch (error) {
      if (!(error instanceof NothingToCopyError || error instanceof NoCollectionError)) throw error;
      const name = `${database.name}.${collection}`;
      const run = await lane.session.run(async (client) =>
        (await hasLedger(client)) ? await findUnfinishedRun(client, name, config.postgresSchema) : null,
      );
      if (run === null) throw error;
      throw new SourceChangedError(`${error.message}, and ${describeRun(run)} is not finished`, {
        code: error instanceof NothingToCopyError ? 'SOURCE_EMPTIED' : 'SOURCE_VANISHED',
        fix: 'with its original documents restored, the same command resumes.',
        cause: error,
      });
    }
  }
}

/** Columns are inferred from documents, so that an empty collection cannot be copied yet. */
function noDocuments(source: string): NothingToCopyError {
  return new NothingToCopyError(`the collection ${source} has no documents to be copied yet`, {
    code: 'COLLECTION_EMPTY',
    fix: 'run the same command again once it has some.',
  });
}

/** It was interrupted, or there was nothing to do. */
function isNotFailure(error: unknown): boolean {
  return error instanceof InterruptedError || error instanceof NothingToCopyError;
}
