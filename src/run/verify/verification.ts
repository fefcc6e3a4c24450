/** Compares one collection with its table: every document with its row, and every row with its document. */

import type pg from 'pg';
import { SourceChangedError, UsageError, withFix } from '../../common/errors.ts';
import type { RunEvent } from '../../observe/events.ts';
import type { NamedDifference, VerificationSummary } from '../../observe/verification-summary.ts';
import type { Supervisor } from '../../workers/supervisor/supervisor.ts';
import { removeSurplus } from '../../postgres/follow/surplus.ts';
import type { FollowedCollection } from '../../postgres/worker-settings.ts';
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
import type { Source } from '../../source/source.ts';
import { hashDocument } from '../../bson/document-hash.ts';
import type { Tally } from '../../postgres/compare/tally.ts';
import { workerTarget } from '../workforce.ts';
import { Comparing, type ComparingOptions } from './comparing.ts';
import { compareShared, type LeadVerifying } from './shared-verification.ts';
import { requireUnchangedRun } from './unchanged-run.ts';
import type { Difference } from '../../observe/comparison.ts';
import { qualifiedName } from '../../postgres/connection/relations.ts';

export interface VerificationOptions {
  readonly config: ComparingOptions['config'];
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
  /** Set if several hosts compare and this one leads. */
  readonly shared?: LeadVerifying;
}

export class Verification {
  readonly #options: VerificationOptions;
  readonly #startedMs = performance.now();
  readonly #division: Division;
  #expectedDocuments = 0;

  constructor(options: VerificationOptions) {
    this.#options = options;
    const { source, config, shared } = options;
    this.#division = new Division(source, config.readRanges, shared?.hosts.rangeBytes ?? null);
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
    const { counts: found, differences } = await this.#compareAll();
    const { suspects, changed } = await this.#readAgain(differences);
    await requireUnchangedRun(session, run);
    const counts = await session.run((client) => countTableRows(client, run, otherRuns), 'long');
    const { rows, rowsOfOthers } = counts;
    const surplus = rows - rowsOfOthers - found.rows;
    const childSurplus = counts.childRows - counts.childRowsOfOthers - found.childRows;
    // A sample cannot name surplus rows. It still knows how many rows there should be.
    const isSample = sampleShare < 1;
    const isCountOff = isSample
      ? await this.#isSampleOff(found.read, counts)
      : surplus < 0 || childSurplus < 0;
    const extra = isSample ? 0 : Math.max(0, surplus);
    const extraChildRows = isSample ? 0 : Math.max(0, childSurplus);
    const extraRows =
      extra + extraChildRows > 0 ? await this.#nameExtraRows(extra + extraChildRows, counts) : [];
    const summary: VerificationSummary = {
      source: source.name,
      table: qualifiedName(plan),
      runId: run.runId,
      read: found.read,
      compared: found.compared,
      equal: found.equal,
      deadLettered: found.deadLettered,
      dropped: found.dropped,
      missing: found.missing - changed.missing,
      different: found.different - changed.different,
      changed: changed.missing + changed.different,
      extra,
      rows,
      rowsOfOthers,
      extraChildRows,
      isSample,
      isCountOff,
      differences: [...suspects.map(nameDifference), ...extraRows],
      bytes: found.bytes,
      totalMs: performance.now() - this.#startedMs,
    };
    requireAccount(summary);
    onEvent({ kind: 'verified', ...summary });
    return summary;
  }

  async #compareAll(): Promise<Tally> {
    const { shared, ...common } = this.#options;
    const options = { ...common, division: this.#division, expectedDocuments: this.#expectedDocuments };
    if (shared !== undefined) return await compareShared(shared, options);
    const comparing = new Comparing(options);
    await comparing.execute();
    return comparing.tally;
  }

  /** A document that has changed since was changed during the comparison, which is not a difference. */
  async #readAgain(differences: readonly Difference[]): Promise<{
    readonly suspects: readonly Difference[];
    readonly changed: { readonly missing: number; readonly different: number };
  }> {
    const { source } = this.#options;
    const { lookup } = source;
    await reachFailpoint('primary-before-second-look');
    const changed = { missing: 0, different: 0 };
    if (lookup === undefined) return { suspects: differences, changed };
    const suspects: Difference[] = [];
    for (const suspect of differences) {
      this.#options.signal.throwIfAborted();
      // One at a time, since a hundred documents of 16 MB would not fit into memory.
      const [document] = (await lookup.readByIds([suspect.idBson])).values();
      if (document !== undefined && hashDocument(document) === suspect.documentHash) suspects.push(suspect);
      else changed[suspect.kind]++;
    }
    // A deleted document is not counted as changed.
    await source.requireUnchanged();
    return { suspects, changed };
  }

  async #isSampleOff(
    read: number,
    { rows, rowsOfOthers, childRows, childRowsOfOthers }: RowCounts,
  ): Promise<boolean> {
    const { session, run } = this.#options;
    const copied = await session.run((client) => readTotals(client, run.runId));
    return (
      rows - rowsOfOthers !== read - copied.deadLettered - copied.dropped + copied.rows - copied.copied ||
      childRows - childRowsOfOthers !== copied.childRows
    );
  }

  /** Reads all documents again. */
  async #collectKeys(): Promise<void> {
    const { config, supervisor, run, source, signal, shared } = this.#options;
    const { itemsPerPage, readRanges: readers } = config;
    const { runId, settings } = run;
    const target = { ...workerTarget(config), runId, plan: settings.plan };
    const work = supervisor.begin(
      { ...target, purpose: 'collect-keys' },
      {
        onAck: (_workerId, { retries: times }) => {
          if (times !== undefined) {
            this.#options.onEvent({ kind: 'retried', server: 'postgres', times, reason: null });
          }
        },
      },
    );
    work.expect(this.#expectedDocuments);
    // By this process alone, also if several hosts have compared.
    const division = shared === undefined ? this.#division : new Division(source, readers);
    try {
      await readRanges(new MemoryRangeQueue(await division.intervals(itemsPerPage)), {
        ...{ source, division, itemsPerPage },
        handOver: (batch) => work.submit(batch),
        isToStop: () => signal.aborted,
      });
      signal.throwIfAborted();
      await work.drain();
      await source.requireUnchanged();
    } finally {
      work.end();
    }
  }

  /** Only if there are surplus rows, since the source must be read again. */
  async #nameExtraRows(amount: number, counts: RowCounts): Promise<NamedDifference[]> {
    const { session, run, source, onEvent } = this.#options;
    const notify = (message: string): void => {
      onEvent({ kind: 'notice', source: source.name, message: `${source.name}: ${message}` });
    };
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
        await this.#collectKeys();
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
