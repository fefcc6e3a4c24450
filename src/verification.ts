/** Compares one collection with its table: every document with its row, and every row with its document. */

import type { Config } from './config.ts';
import { UsageError } from './errors.ts';
import type { NamedDifference, RunEvent, VerificationSummary } from './events.ts';
import type { Ack, Batch } from './pool/protocol.ts';
import type { Supervisor } from './pool/supervisor.ts';
import { hashDocument, type Difference } from './postgres/comparison.ts';
import { countRows, qualifiedName } from './postgres/ddl.ts';
import { keyIndex } from './postgres/expected-rows.ts';
import { createKeys, dropKeys, findExtraRows } from './postgres/key-collection.ts';
import { describeRun } from './postgres/run-decision.ts';
import { readTotals, type Run } from './postgres/runs.ts';
import type { Session } from './postgres/session.ts';
import { Division } from './reading/division.ts';
import { readRanges } from './reading/readers.ts';
import type { Page, Source } from './source/source.ts';
import { reportProgress, workerTarget } from './workforce.ts';

export interface VerificationOptions {
  readonly config: Config;
  readonly session: Session;
  readonly supervisor: Supervisor;
  readonly source: Source;
  /** The run that copied the collection, and those beside it whose rows are in the same table. */
  readonly run: Run;
  readonly otherRuns: readonly Run[];
  readonly onEvent: (event: RunEvent) => void;
  readonly signal: AbortSignal;
}

/** Differences are read again before they are told; more than these at a time are only counted. */
const maxNamed = 100;

export class Verification {
  readonly #options: VerificationOptions;
  readonly #startedMs = performance.now();
  readonly #division: Division;
  #read = 0;
  #compared = 0;
  #settled = 0;
  #bytes = 0;
  #equal = 0;
  #missing = 0;
  #different = 0;
  #deadLettered = 0;
  #suspects: Difference[] = [];

  constructor(options: VerificationOptions) {
    this.#options = options;
    this.#division = new Division(options.source, options.config.readRanges);
  }

  /** To be called for each batch of this verification that is settled. */
  onSettled(batch: Batch): void {
    this.#settled += batch.count;
    this.#bytes += batch.documents.byteLength;
    const { onEvent, source, supervisor } = this.#options;
    const progress = reportProgress(supervisor, {
      source: source.name,
      documents: this.#settled,
      bytes: this.#bytes,
      committedBefore: 0,
      deadLettered: this.#deadLettered,
      elapsedMs: performance.now() - this.#startedMs,
    });
    onEvent(progress);
  }

  /** To be called for each ack of this verification that is applied. */
  onAck({ comparison }: Ack): void {
    if (comparison === undefined) return;
    this.#equal += comparison.equal;
    this.#missing += comparison.missing;
    this.#different += comparison.different;
    this.#deadLettered += comparison.deadLettered;
    const room = maxNamed - this.#suspects.length;
    if (room > 0) this.#suspects.push(...comparison.differences.slice(0, room));
  }

  /** @throws MigrationError */
  async execute(): Promise<VerificationSummary> {
    const { source, run, supervisor, session, onEvent, config } = this.#options;
    const { plan } = run.settings;
    if (keyIndex(plan) < 0) {
      throw new UsageError(`the table ${qualifiedName(plan)} has no column for _id to compare by`, {
        fix: 'rows without the _id of their document cannot be verified.',
      });
    }
    const expectedDocuments = await source.estimateCount();
    onEvent({
      kind: 'verifying',
      source: source.name,
      table: qualifiedName(plan),
      run: describeRun(run),
      expectedDocuments,
      workers: supervisor.size,
    });
    await this.#pass('compare', config.sampleShare);
    const changed = await this.#readSuspectsAgain();
    const { rowsOfOthers, rows } = await session.run((client) => this.#countRows(client), 'long');
    const isSample = config.sampleShare < 1;
    // Of a sample nobody knows which rows are too many, but how many there should be.
    const extra = isSample ? 0 : Math.max(0, rows - rowsOfOthers - this.#equal - this.#different);
    const isCountOff = isSample && rows - rowsOfOthers !== this.#read - (await this.#countLetters());
    const extraRows = extra > 0 ? await this.#nameExtraRows() : [];
    const summary: VerificationSummary = {
      source: source.name,
      table: qualifiedName(plan),
      runId: run.runId,
      read: this.#read,
      compared: this.#compared,
      equal: this.#equal,
      deadLettered: this.#deadLettered,
      missing: this.#missing - changed.missing,
      different: this.#different - changed.different,
      changed: changed.missing + changed.different,
      extra,
      rows,
      rowsOfOthers,
      isCountOff,
      differences: [...this.#suspects.map(nameDifference), ...extraRows],
      bytes: this.#bytes,
      totalMs: performance.now() - this.#startedMs,
    };
    requireAccount(summary);
    onEvent({ kind: 'verified', ...summary });
    return summary;
  }

  /** Hands every page, or a random share of them, to the workers; resolves when all are settled. */
  async #pass(purpose: 'compare' | 'collect-keys', share: number): Promise<void> {
    const { config, source, supervisor, run, signal } = this.#options;
    const { itemsPerPage } = config;
    const { runId, epoch, settings } = run;
    supervisor.begin({ ...workerTarget(config), purpose, runId, epoch, plan: settings.plan });
    let nextBatch = 1;
    const handOver = async (page: Page): Promise<void> => {
      if (purpose === 'compare') this.#read += page.count;
      if (share < 1 && Math.random() >= share) return;
      if (purpose === 'compare') this.#compared += page.count;
      const number = nextBatch;
      nextBatch += page.count;
      await supervisor.submit({ number, rangeNo: 0, afterId: null, ...page });
    };
    await readRanges(
      (await this.#division.intervals(itemsPerPage)).map((interval) => ({ rangeNo: 0, ...interval })),
      {
        source,
        division: this.#division,
        itemsPerPage,
        handOver,
        // Nothing is continued, so that no range is written down.
        split: ({ untilId }, cutId) => Promise.resolve({ rangeNo: 0, afterId: cutId, untilId }),
        isToStop: () => signal.aborted,
      },
    );
    signal.throwIfAborted();
    await supervisor.drain();
  }

  /** A document that is not the same any more was changed under the comparison, and proves nothing. */
  async #readSuspectsAgain(): Promise<{ missing: number; different: number }> {
    const { source } = this.#options;
    const changed = { missing: 0, different: 0 };
    const hashes = new Map<string, string>();
    const again = await source.readByIds(this.#suspects.map(({ idBson }) => idBson));
    if (again === null) return changed;
    for (const [id, document] of again) hashes.set(id, hashDocument(document));
    this.#suspects = this.#suspects.filter(({ kind, idBson, documentHash }) => {
      if (hashes.get(Buffer.from(idBson).toString('latin1')) === documentHash) return true;
      changed[kind]++;
      return false;
    });
    return changed;
  }

  async #countRows(client: Parameters<typeof countRows>[0]): Promise<{ rows: number; rowsOfOthers: number }> {
    const { run, otherRuns } = this.#options;
    let rowsOfOthers = Math.min(run.rowsBefore, ...otherRuns.map(({ rowsBefore }) => rowsBefore));
    for (const { runId } of otherRuns) rowsOfOthers += (await readTotals(client, runId)).copied;
    return { rows: await countRows(client, run.settings.plan), rowsOfOthers };
  }

  async #countLetters(): Promise<number> {
    const { session, run } = this.#options;
    return (await session.run((client) => readTotals(client, run.runId))).deadLettered;
  }

  /** Only when there are too many rows: it takes another reading of the source. */
  async #nameExtraRows(): Promise<NamedDifference[]> {
    const { session, run } = this.#options;
    const { plan } = run.settings;
    await session.run((client) => createKeys(client, plan, run.runId));
    try {
      await this.#pass('collect-keys', 1);
      const rows = await session.run((client) => findExtraRows(client, plan, run.runId, maxNamed), 'long');
      return rows.map(({ kind, key }) => ({ kind, id: key, columns: [] }));
    } finally {
      await session.run((client) => dropKeys(client, run.runId));
    }
  }
}

function nameDifference({ kind, id, columns }: Difference): NamedDifference {
  return { kind, id: id ?? '', columns };
}

/** Each document that was compared must be in exactly one of the counts. */
function requireAccount({
  compared,
  equal,
  deadLettered,
  missing,
  different,
  changed,
}: VerificationSummary): void {
  if (compared === equal + deadLettered + missing + different + changed) return;
  throw new Error(
    `the account does not balance: compared ${compared}, equal ${equal}, dead-lettered ${deadLettered}, ` +
      `missing ${missing}, different ${different}, changed ${changed}`,
  );
}
