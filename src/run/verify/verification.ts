/** Compares one collection with its table: every document with its row, and every row with its document. */

import type pg from 'pg';
import type { Config } from '../../config/config.ts';
import { SourceChangedError, UsageError, withFix } from '../../common/errors.ts';
import type { RunEvent } from '../../observe/events.ts';
import type { NamedDifference, VerificationSummary } from '../../observe/verification-summary.ts';
import type { RunListener } from '../../observe/run-listener.ts';
import type { RunHandle } from '../../workers/supervisor/run-handle.ts';
import type { Supervisor } from '../../workers/supervisor/supervisor.ts';
import { removeSurplus } from '../../postgres/follow/surplus.ts';
import type { FollowedCollection } from '../../postgres/worker-settings.ts';
import { PageSample } from './page-sample.ts';
import { countTableRows, type RowCounts } from './row-counts.ts';
import { nameExtraRows } from './surplus-rows.ts';
import { reachFailpoint } from '../../common/failpoints/failpoints.ts';
import { formatPlural } from '../../common/format.ts';
import { requireComparable } from '../../postgres/compare/comparison-check.ts';
import { keyIndex } from '../../postgres/compare/expected-rows.ts';
import { describeRun } from '../../postgres/ledger/run-decision.ts';
import { readTotals, type Run } from '../../postgres/ledger/runs.ts';
import type { Session } from '../../postgres/connection/session.ts';
import { maxNamed } from '../../postgres/compare/shown-values.ts';
import { Division } from '../../source/reading/division.ts';
import { MemoryRangeQueue } from '../../source/reading/range-queue.ts';
import { readRanges } from '../../source/reading/readers.ts';
import type { Batch } from '../../source/page.ts';
import type { Source } from '../../source/source.ts';
import { hashDocument } from '../../bson/document-hash.ts';
import { reportProgress, workerTarget, type WorkerConfig } from '../workforce.ts';
import type { Difference } from '../../observe/comparison.ts';
import type { Ack } from '../../observe/ack.ts';
import { qualifiedName } from '../../postgres/connection/relations.ts';

export interface VerificationOptions {
  readonly config: WorkerConfig & Pick<Config, 'sample' | 'itemsPerPage' | 'readRanges'>;
  readonly session: Session;
  readonly supervisor: Supervisor;
  readonly source: Source;
  /** The run that copied the collection, and other runs into the same table. */
  readonly run: Run;
  readonly otherRuns: readonly Run[];
  readonly onEvent: (event: RunEvent) => void;
  readonly signal: AbortSignal;
  /** Set for a repair: writes differing documents to the journal of this stream, and deletes surplus rows. */
  readonly repair?: FollowedCollection;
}

export class Verification implements RunListener {
  readonly #options: VerificationOptions;
  readonly #startedMs = performance.now();
  readonly #division: Division;
  #expectedDocuments = 0;
  #isNaming = false;
  #read = 0;
  #compared = 0;
  #settled = 0;
  #bytes = 0;
  #equal = 0;
  #missing = 0;
  #different = 0;
  #deadLettered = 0;
  #dropped = 0;
  #rows = 0;
  #childRows = 0;
  #suspects: Difference[] = [];

  constructor(options: VerificationOptions) {
    this.#options = options;
    this.#division = new Division(options.source, options.config.readRanges);
  }

  onSettled(batch: Batch): void {
    // The second reading, which identifies surplus rows, must not count documents again.
    if (this.#isNaming) return;
    this.#settled += batch.documentCount;
    this.#bytes += batch.bytes.byteLength;
    const { onEvent, source, supervisor } = this.#options;
    const progress = reportProgress(supervisor, {
      source: source.name,
      documents: this.#settled,
      bytes: this.#bytes,
      expectedDocuments: this.#expectedDocuments,
      committedBefore: 0,
      deadLettered: this.#deadLettered,
      dropped: this.#dropped,
      elapsedMs: performance.now() - this.#startedMs,
    });
    onEvent(progress);
  }

  onAck(_workerId: string, { comparison, retries: times }: Ack): void {
    if (times !== undefined) {
      this.#options.onEvent({ kind: 'retried', server: 'postgres', times, reason: null });
    }
    if (comparison === undefined) return;
    this.#equal += comparison.equal;
    this.#missing += comparison.missing;
    this.#different += comparison.different;
    this.#deadLettered += comparison.deadLettered;
    this.#dropped += comparison.dropped;
    this.#rows += comparison.rows;
    this.#childRows += comparison.childRows;
    const room = maxNamed - this.#suspects.length;
    if (room > 0) this.#suspects.push(...comparison.differences.slice(0, room));
  }

  /** @throws MigrationError */
  async execute(): Promise<VerificationSummary> {
    try {
      return await this.#compare();
    } catch (error) {
      if (!(error instanceof SourceChangedError)) throw error;
      throw withFix(error, 'its table was not verified: verify again when the collection is available.');
    }
  }

  async #compare(): Promise<VerificationSummary> {
    const { source, run, otherRuns, supervisor, session, onEvent, config } = this.#options;
    const { plan } = run.settings;
    if (keyIndex(plan) < 0) {
      throw new UsageError(`the table ${qualifiedName(plan)} has no column for _id to compare by`, {
        code: 'ID_HAS_NO_COLUMN',
        fix: 'rows without the _id of their document cannot be verified.',
      });
    }
    await session.run((client) => requireComparable(client, plan));
    const { sample: sampleShare } = config;
    this.#expectedDocuments = Math.round((await source.estimateCount()) * sampleShare);
    supervisor.expect(this.#expectedDocuments);
    onEvent({
      kind: 'verifying',
      source: source.name,
      table: qualifiedName(plan),
      run: describeRun(run),
      expectedDocuments: this.#expectedDocuments,
      workers: supervisor.size,
    });
    await this.#pass('compare', sampleShare);
    const changed = await this.#readSuspectsAgain();
    const counts = await session.run((client) => countTableRows(client, run, otherRuns), 'long');
    const { rows, rowsOfOthers } = counts;
    const surplus = rows - rowsOfOthers - this.#rows;
    const childSurplus = counts.childRows - counts.childRowsOfOthers - this.#childRows;
    // A sample cannot name surplus rows. It still knows how many rows there should be.
    const isSample = sampleShare < 1;
    const isCountOff = isSample ? await this.#isSampleOff(counts) : surplus < 0 || childSurplus < 0;
    const extra = isSample ? 0 : Math.max(0, surplus);
    const extraChildRows = isSample ? 0 : Math.max(0, childSurplus);
    const extraRows =
      extra + extraChildRows > 0 ? await this.#nameExtraRows(extra + extraChildRows, counts) : [];
    const summary: VerificationSummary = {
      source: source.name,
      table: qualifiedName(plan),
      runId: run.runId,
      read: this.#read,
      compared: this.#compared,
      equal: this.#equal,
      deadLettered: this.#deadLettered,
      dropped: this.#dropped,
      missing: this.#missing - changed.missing,
      different: this.#different - changed.different,
      changed: changed.missing + changed.different,
      extra,
      rows,
      rowsOfOthers,
      extraChildRows,
      isSample,
      isCountOff,
      differences: [...this.#suspects.map(nameDifference), ...extraRows],
      bytes: this.#bytes,
      totalMs: performance.now() - this.#startedMs,
    };
    requireAccount(summary);
    onEvent({ kind: 'verified', ...summary });
    return summary;
  }

  /** Submits every page, or a random share of them, to the workers; resolves when all are settled. */
  async #pass(purpose: 'compare' | 'collect-keys', share: number): Promise<void> {
    const { config, supervisor, run, repair } = this.#options;
    const { runId, settings } = run;
    const { plan } = settings;
    const target = { ...workerTarget(config), runId, plan };
    const work =
      repair !== undefined && purpose === 'compare'
        ? supervisor.begin({ ...target, purpose: 'repair', stream: repair }, this)
        : supervisor.begin({ ...target, purpose }, this);
    work.expect(this.#expectedDocuments);
    try {
      await this.#submitPages(purpose, share, work);
      await work.drain();
      await this.#options.source.requireUnchanged();
    } finally {
      work.end();
    }
  }

  async #submitPages(purpose: 'compare' | 'collect-keys', share: number, work: RunHandle): Promise<void> {
    const { config, source, signal } = this.#options;
    const { itemsPerPage } = config;
    const submit = async (batch: Batch): Promise<void> => {
      if (purpose === 'compare') this.#compared += batch.documentCount;
      await work.submit(batch);
    };
    const sample = new PageSample(share);
    const handOver = async (batch: Batch): Promise<void> => {
      if (purpose === 'compare') this.#read += batch.documentCount;
      if (sample.takes(batch)) await submit(batch);
    };
    const intervals = await this.#division.intervals(itemsPerPage);
    await readRanges(new MemoryRangeQueue(intervals), {
      source,
      division: this.#division,
      itemsPerPage,
      handOver,
      isToStop: () => signal.aborted,
    });
    signal.throwIfAborted();
    const { inReserve } = sample;
    if (inReserve !== null) await submit(inReserve);
  }

  /** A document that has changed since was changed during the comparison, which is not a difference. */
  async #readSuspectsAgain(): Promise<{ missing: number; different: number }> {
    const { source } = this.#options;
    const { lookup } = source;
    await reachFailpoint('primary-before-second-look');
    const changed = { missing: 0, different: 0 };
    if (lookup === undefined) return changed;
    const still: Difference[] = [];
    for (const suspect of this.#suspects) {
      this.#options.signal.throwIfAborted();
      // One at a time, since a hundred documents of 16 MB would not fit into memory.
      const [document] = (await lookup.readByIds([suspect.idBson])).values();
      if (document !== undefined && hashDocument(document) === suspect.documentHash) still.push(suspect);
      else changed[suspect.kind]++;
    }
    // A deleted document is not counted as changed.
    await source.requireUnchanged();
    this.#suspects = still;
    return changed;
  }

  async #isSampleOff({ rows, rowsOfOthers, childRows, childRowsOfOthers }: RowCounts): Promise<boolean> {
    const { session, run } = this.#options;
    const copied = await session.run((client) => readTotals(client, run.runId));
    return (
      rows - rowsOfOthers !==
        this.#read - copied.deadLettered - copied.dropped + copied.rows - copied.copied ||
      childRows - childRowsOfOthers !== copied.childRows
    );
  }

  /** Only if there are surplus rows, since the source must be read again. */
  async #nameExtraRows(amount: number, counts: RowCounts): Promise<NamedDifference[]> {
    const { session, run, source, onEvent } = this.#options;
    const notify = (message: string): void => {
      onEvent({ kind: 'notice', source: source.name, message: `${source.name}: ${message}` });
    };
    this.#isNaming = true;
    const { repair } = this.#options;
    const { plan } = run.settings;
    return await nameExtraRows({
      ...(repair === undefined
        ? {}
        : { remove: (client: pg.Client) => removeSurplus(client, repair, plan, run.runId) }),
      ...{ session, run, limit: maxNamed, notify },
      isAlone: counts.rowsOfOthers + counts.childRowsOfOthers === 0,
      collectKeys: async () => {
        notify(`${formatPlural(amount, 'surplus row')}: reading all documents again to identify them`);
        await this.#pass('collect-keys', 1);
      },
    });
  }
}

export function nameDifference({ kind, id, idBson, columns }: Difference): NamedDifference {
  return { kind, id: id ?? `BSON ${Buffer.from(idBson).toString('hex')}`, columns };
}

/** Each compared document must be in exactly one of the counts. */
function requireAccount({
  compared,
  equal,
  deadLettered,
  dropped = 0,
  missing,
  different,
  changed,
}: VerificationSummary): void {
  if (compared === equal + deadLettered + dropped + missing + different + changed) return;
  throw new Error(
    `the account does not balance: compared ${compared}, equal ${equal}, dead-lettered ${deadLettered}, dropped ${dropped}, ` +
      `missing ${missing}, different ${different}, changed ${changed}`,
  );
}
