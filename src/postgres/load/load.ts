/** Loads one batch in one transaction: its row in the ledger first, then its rows, then its dead letters. */

import type pg from 'pg';
import { reachFailpoint } from '../../common/failpoints/failpoints.ts';
import type { Batch } from '../../source/page.ts';
import { Stopwatch } from '../../common/stopwatch.ts';
import { describeId } from '../../bson/json/describe-id.ts';
import type { BatchAccount, LoadSteps } from '../../observe/ack.ts';
import { DocumentCursor } from '../../bson/cursor.ts';
import type { Claim, ClaimRow } from '../ledger/claim.ts';
import { prepareWorkerSession } from '../connection/citus.ts';
import { explainDatabaseError } from '../connection/connection.ts';
import type { CopyOptions } from './copy.ts';
import { tablesOf } from '../table/ddl.ts';
import type { LedgerLetter } from '../ledger/dead-letters.ts';
import { accountOf, countChildRows, listLetters, sourceOf, type LoadableBatch } from './loadable-batch.ts';
import { isRefusal, isShardRefusal } from '../connection/transient-errors.ts';
import { Session, type SessionOptions } from '../connection/session.ts';
import { loadRowByRow } from './row-by-row.ts';
import type { Refusal } from './stage.ts';
import { TableCopy } from './table-copy.ts';
import type { WorkerSettings, WorkerTarget } from '../worker-settings.ts';

/**
 * @param where `node`: the node of Citus through which is loaded, if there is one
 * @throws TargetError with a fix
 */
export async function openLoadingSession(
  target: WorkerTarget,
  where: 'node' | 'coordinator',
  options: Pick<SessionOptions, 'onLost' | 'killSignal'> = {},
): Promise<Session> {
  const { postgresUrl, nodeUrl, retryLimitMs, answerTimeoutMs, hostId } = target;
  const isNode = where === 'node' && nodeUrl !== undefined;
  const prepareOnNode = async (client: pg.Client): Promise<void> => {
    await prepareWorkerSession(client);
    // The coordinator may not be able to end it there, and rows of a worker that hangs would remain locked.
    await client.query(`SET idle_in_transaction_session_timeout = ${answerTimeoutMs}`);
  };
  return await Session.open(
    {
      url: isNode ? nodeUrl : postgresUrl,
      applicationName: 'mongo2pg worker',
      hostId,
      retryLimitMs,
      answerTimeoutMs,
      onConnect: isNode ? prepareOnNode : prepareWorkerSession,
      ...options,
    },
    'retry',
  );
}

export interface LoadOutcome extends BatchAccount {
  /** An earlier delivery had committed already; the account is that of the earlier one. */
  readonly isDuplicate: boolean;
  readonly steps: LoadSteps;
}

/** The run to load, its tables and the server. */
export type LoadSettings = Pick<WorkerSettings, 'runId' | 'plan' | 'postgresUrl' | 'nodeUrl'>;

/** Finds documents of a batch that are already in the table, independent of the ledger; by their positions among those encoded. */
export type FindKept = (batch: Batch, encoded: LoadableBatch) => Promise<ReadonlySet<number>>;

const noneKept: ReadonlySet<number> = new Set();

/** COPY accepted fewer rows than it was given, without an error: a trigger skipped some. */
class MissingRowsError extends Error {}

export class Loader {
  readonly #session: Session;
  readonly #settings: LoadSettings;
  readonly #claim: Claim;
  readonly #tables: readonly TableCopy[];
  readonly #findKept: FindKept;

  /**
   * @param session one of `openLoadingSession`
   * @param claim ensures that each batch is loaded once
   * @param findKept which rows of a batch are in the table already, when some are rejected
   */
  constructor(
    session: Session,
    settings: LoadSettings,
    claim: Claim,
    findKept: FindKept = () => Promise.resolve(noneKept),
  ) {
    this.#session = session;
    this.#settings = settings;
    this.#claim = claim;
    this.#findKept = findKept;
    this.#tables = tablesOf(settings.plan).map((plan) => new TableCopy(plan));
  }

  /** @throws TargetError when Postgres rejects the whole batch; then nothing of it is committed */
  async load(batch: Batch, encoded: LoadableBatch): Promise<LoadOutcome> {
    const watch: LoadWatch = new Stopwatch();
    try {
      const outcome = await this.#loadOrFallBack(batch, encoded, watch);
      watch.lap('commit');
      const steps = { claimMs: watch.ms('claim'), copyMs: watch.ms('copy'), commitMs: watch.ms('commit') };
      return { ...outcome, steps };
    } catch (error) {
      throw explainDatabaseError(error, this.#settings.nodeUrl ?? this.#settings.postgresUrl);
    }
  }

  async #loadOrFallBack(batch: Batch, encoded: LoadableBatch, watch: LoadWatch): Promise<Account> {
    if (encoded.rowCount === 0 || encoded.hasLongKey) return await this.#loadRowByRow(batch, encoded, watch);
    try {
      return await this.#loadWhole(batch, encoded, watch);
    } catch (error) {
      if (!isRefusal(error) && !isShardRefusal(error) && !(error instanceof MissingRowsError)) throw error;
      return await this.#loadRowByRow(batch, encoded, watch);
    }
  }

  /**
   * All rows or none. `BEGIN`, the ledger's row and COPY are sent as one query: with a distant server, round trips take most of the
   * time.
   */
  #loadWhole(batch: Batch, encoded: LoadableBatch, watch: LoadWatch): Promise<Account> {
    return this.#loadOnce(batch, encoded, watch, async (client, begin) => {
      const onBegun = (): void => {
        watch.lap('claim');
      };
      await timed(watch, 'copy', this.#copyAll(client, encoded, { after: begin, onBegun }));
      return [];
    });
  }

  /** Rows that Postgres rejects become dead letters. */
  async #loadRowByRow(batch: Batch, encoded: LoadableBatch, watch: LoadWatch): Promise<Account> {
    // Before the batch is claimed. If another delivery commits first, the claim fails.
    const kept = encoded.rowCount === 0 ? noneKept : await this.#findKept(batch, encoded);
    return await this.#loadOnce(batch, encoded, watch, async (client, begin) => {
      await timed(watch, 'claim', client.query(begin));
      if (encoded.rowCount === 0) return [];
      return await timed(watch, 'copy', loadRowByRow(client, this.#settings, encoded, kept));
    });
  }

  /** @param copy begins with the statements of `begin`, and returns the rows that Postgres rejected */
  #loadOnce(
    batch: Batch,
    encoded: LoadableBatch,
    watch: LoadWatch,
    copy: (client: pg.Client, begin: string) => Promise<Refusal[]>,
  ): Promise<Account> {
    return this.#session.transactionBegunBy(async (client) => {
      await reachFailpoint('worker-before-claim');
      let refusals: Refusal[];
      try {
        refusals = await copy(client, `BEGIN; ${this.#claim.statement(batch, rowOf(encoded))}`);
      } catch (error) {
        if (this.#claim.isTaken(error)) return await this.#findCommitted(client, batch);
        throw error;
      }
      return await this.#finish(client, batch, encoded, refusals, watch);
    });
  }

  async #copyAll(client: pg.Client, encoded: LoadableBatch, options: CopyOptions): Promise<void> {
    const parts = [{ copy: encoded.copy, rowCount: encoded.rowCount }, ...encoded.children];
    for (const [index, part] of parts.entries()) {
      if (part.rowCount === 0) continue;
      const taken = await this.#tables[index]?.run(client, part.copy, index === 0 ? options : {});
      if (taken !== part.rowCount) throw new MissingRowsError(`COPY took ${taken} rows of ${part.rowCount}`);
    }
  }

  /** The failed INSERT has aborted the transaction, which contained nothing else. */
  async #findCommitted(client: pg.Client, batch: Batch): Promise<Account> {
    await client.query('ROLLBACK');
    return { isDuplicate: true, ...(await this.#claim.readAccount(client, batch)) };
  }

  async #finish(
    client: pg.Client,
    batch: Batch,
    encoded: LoadableBatch,
    refusals: readonly Refusal[],
    watch: LoadWatch,
  ): Promise<Account> {
    const refused = toLetters(batch, encoded, refusals);
    const letters = [...listLetters(encoded), ...refused];
    const account = accountOf(encoded, new Set(refused.map(({ ordinal }) => ordinal)));
    if (refusals.length > 0) {
      const childRows = countChildRows(encoded, [...encoded.deadLetters, ...refusals]);
      await this.#claim.amend(client, batch, { ...account, childRows });
    }
    await this.#claim.keepLetters(client, batch, letters);
    watch.lap('copy');
    await reachFailpoint('worker-before-commit');
    return { isDuplicate: false, ...account };
  }
}

/** The account of a batch of which Postgres accepts every row. */
function rowOf(encoded: LoadableBatch): ClaimRow {
  return { ...accountOf(encoded), extra: encoded.extra, childRows: countChildRows(encoded, []) };
}

type LoadWatch = Stopwatch<'claim' | 'copy' | 'commit'>;
type Account = Omit<LoadOutcome, 'steps'>;

/** The time of a failed attempt counts too. */
async function timed<T>(watch: LoadWatch, step: 'claim' | 'copy', work: Promise<T>): Promise<T> {
  try {
    return await work;
  } finally {
    watch.lap(step);
  }
}

/** A document of several rows may be rejected several times. It becomes one dead letter, with the first reason. */
function toLetters(batch: Batch, encoded: LoadableBatch, refusals: readonly Refusal[]): LedgerLetter[] {
  if (refusals.length === 0) return [];
  const byOrdinal = new Map<number, Refusal>();
  for (const refusal of refusals) {
    const ordinal = sourceOf(encoded, refusal.ordinal);
    if (!byOrdinal.has(ordinal)) byOrdinal.set(ordinal, { ...refusal, ordinal });
  }
  const letters: LedgerLetter[] = [];
  const cursor = new DocumentCursor(batch.bytes);
  for (let ordinal = 0; cursor.next(); ordinal++) {
    const refusal = byOrdinal.get(ordinal);
    if (refusal === undefined) continue;
    const document = Buffer.from(batch.bytes.subarray(cursor.start, cursor.end));
    letters.push({ ...refusal, document, id: describeId(document), reason: 'refused' });
  }
  return letters;
}
