/** Loads one batch in one transaction: its row in the ledger first, then its rows, then its dead letters. */

import type pg from 'pg';
import { reachFailpoint } from '../failpoints.ts';
import type { Batch, LoadSteps, WorkerSettings, WorkerTarget } from '../pool/protocol.ts';
import { Stopwatch } from '../stopwatch.ts';
import { DocumentCursor } from '../transcode/bson.ts';
import { describeId } from '../transcode/describe-id.ts';
import type { EncodedChild } from '../transcode/child-rows.ts';
import type { ExtraCount } from '../transcode/extra-counter.ts';
import {
  amendClaim,
  claimStatement,
  isClaimedBefore,
  readAccount,
  type BatchAccount,
  type Claim,
} from './claim.ts';
import { explainDatabaseError } from './connection.ts';
import type { CopyOptions } from './copy.ts';
import { tablesOf } from './ddl.ts';
import { insertDeadLetters, type LedgerLetter } from './dead-letters.ts';
import { isRefusal } from './passing-errors.ts';
import { Session, type SessionOptions } from './session.ts';
import { loadSettingAside } from './set-aside.ts';
import type { Refusal } from './stage.ts';
import { TableCopy } from './table-copy.ts';

/** @throws TargetError that says what to do */
export async function openLoadingSession(
  target: WorkerTarget,
  options: Pick<SessionOptions, 'onLost' | 'killSignal'> = {},
): Promise<Session> {
  const { postgresUrl: url, retryLimitMs, answerTimeoutMs } = target;
  return await Session.open(
    {
      url,
      applicationName: 'mongo2pg worker',
      retryLimitMs,
      answerTimeoutMs,
      // Safe: the ledger's row and the batch's rows are lost or kept together, and the run looks for what was lost.
      onConnect: async (client) => {
        await client.query('SET synchronous_commit = off');
      },
      ...options,
    },
    'retry',
  );
}

/** A batch as a COPY stream, and the documents of it that have no row there. */
export interface LoadableBatch {
  readonly copy: Buffer;
  readonly documents: number;
  /** How many rows the stream has. */
  readonly copied: number;
  readonly deadLetters: readonly LedgerLetter[];
  readonly extra: readonly ExtraCount[];
  /** The rows of each child table of the plan, each a stream of its own. */
  readonly children: readonly EncodedChild[];
  /** There may be an `_id` that the primary key, which is built after the load, cannot have. */
  readonly hasLongKey: boolean;
}

export interface LoadOutcome extends BatchAccount {
  /** An earlier delivery had committed already; the account is that delivery's. */
  readonly isDuplicate: boolean;
  readonly steps: LoadSteps;
}

/** COPY took fewer rows than it was given, without an error: a trigger left some out. */
class MissingRowsError extends Error {}

export class Loader {
  readonly #session: Session;
  readonly #settings: WorkerSettings;
  readonly #tables: readonly TableCopy[];

  /** @param session one of `openLoadingSession` */
  constructor(session: Session, settings: WorkerSettings) {
    this.#session = session;
    this.#settings = settings;
    this.#tables = tablesOf(settings.plan).map((plan) => new TableCopy(plan));
  }

  /** @throws TargetError when Postgres refuses the batch as a whole; nothing of it is then committed */
  async load(batch: Batch, encoded: LoadableBatch): Promise<LoadOutcome> {
    const watch: LoadWatch = new Stopwatch();
    try {
      const outcome = await this.#loadOrSetAside(batch, encoded, watch);
      watch.lap('commit');
      const steps = { claimMs: watch.ms('claim'), copyMs: watch.ms('copy'), commitMs: watch.ms('commit') };
      return { ...outcome, steps };
    } catch (error) {
      throw explainDatabaseError(error, this.#settings.postgresUrl);
    }
  }

  async #loadOrSetAside(batch: Batch, encoded: LoadableBatch, watch: LoadWatch): Promise<Account> {
    if (encoded.copied === 0 || encoded.hasLongKey)
      return await this.#loadSettingAside(batch, encoded, watch);
    try {
      return await this.#loadWhole(batch, encoded, watch);
    } catch (error) {
      if (!isRefusal(error) && !(error instanceof MissingRowsError)) throw error;
      return await this.#loadSettingAside(batch, encoded, watch);
    }
  }

  /** All rows or none. `BEGIN`, the ledger's row and COPY go as one query: far away, round trips are most of the time. */
  #loadWhole(batch: Batch, encoded: LoadableBatch, watch: LoadWatch): Promise<Account> {
    return this.#loadOnce(batch, encoded, watch, async (client, claim) => {
      const onBegun = (): void => {
        watch.lap('claim');
      };
      await timed(watch, 'copy', this.#copyAll(client, encoded, { after: claim, onBegun }));
      return [];
    });
  }

  /** Rows that Postgres refuses become dead letters. */
  #loadSettingAside(batch: Batch, encoded: LoadableBatch, watch: LoadWatch): Promise<Account> {
    return this.#loadOnce(batch, encoded, watch, async (client, claim) => {
      await timed(watch, 'claim', client.query(claim));
      if (encoded.copied === 0) return [];
      return await timed(watch, 'copy', loadSettingAside(client, this.#settings, encoded));
    });
  }

  /** @param copy begins with the statements of `claim`, and returns the rows that Postgres refused */
  #loadOnce(
    batch: Batch,
    encoded: LoadableBatch,
    watch: LoadWatch,
    copy: (client: pg.Client, claim: string) => Promise<Refusal[]>,
  ): Promise<Account> {
    return this.#session.transactionBegunBy(async (client) => {
      await reachFailpoint('worker-before-claim');
      let refusals: Refusal[];
      try {
        refusals = await copy(
          client,
          `BEGIN; ${claimStatement(this.#settings.runId, batch, claimOf(encoded))}`,
        );
      } catch (error) {
        if (isClaimedBefore(error)) return await this.#findCommitted(client, batch);
        throw error;
      }
      return await this.#finish(client, batch, encoded, refusals, watch);
    });
  }

  async #copyAll(client: pg.Client, encoded: LoadableBatch, options: CopyOptions): Promise<void> {
    const parts = [{ copy: encoded.copy, rows: encoded.copied }, ...encoded.children];
    for (const [index, part] of parts.entries()) {
      if (part.rows === 0) continue;
      const taken = await this.#tables[index]?.run(client, part.copy, index === 0 ? options : {});
      if (taken !== part.rows) throw new MissingRowsError(`COPY took ${taken} rows of ${part.rows}`);
    }
  }

  /** The failed INSERT has aborted the transaction, which had nothing else in it. */
  async #findCommitted(client: pg.Client, batch: Batch): Promise<Account> {
    await client.query('ROLLBACK');
    return { isDuplicate: true, ...(await readAccount(client, this.#settings.runId, batch)) };
  }

  async #finish(
    client: pg.Client,
    batch: Batch,
    encoded: LoadableBatch,
    refusals: readonly Refusal[],
    watch: LoadWatch,
  ): Promise<Account> {
    const { runId, plan } = this.#settings;
    const letters = [...encoded.deadLetters, ...toLetters(batch, refusals)];
    const account: BatchAccount = {
      documents: encoded.documents,
      copied: encoded.copied - refusals.length,
      deadLettered: letters.length,
    };
    if (refusals.length > 0) {
      const childRows = countChildRows(encoded, letters);
      await amendClaim(client, runId, batch, { ...account, childRows });
    }
    const { collection } = plan;
    await insertDeadLetters(client, { runId, ...batch, collection }, letters);
    watch.lap('copy');
    await reachFailpoint('worker-before-commit');
    return { isDuplicate: false, ...account };
  }
}

/** As if Postgres took all of it. */
function claimOf(encoded: LoadableBatch): Claim {
  return { ...encoded, deadLettered: encoded.deadLetters.length, childRows: countChildRows(encoded, []) };
}

type LoadWatch = Stopwatch<'claim' | 'copy' | 'commit'>;
type Account = Omit<LoadOutcome, 'steps'>;

/** What fails has taken its time as well. */
async function timed<T>(watch: LoadWatch, step: 'claim' | 'copy', work: Promise<T>): Promise<T> {
  try {
    return await work;
  } finally {
    watch.lap(step);
  }
}

/** Those of documents that Postgres refused are not there either. */
export function countChildRows(
  { children }: Pick<LoadableBatch, 'children'>,
  letters: readonly Pick<LedgerLetter, 'ordinal'>[],
): number {
  const refused = new Set(letters.map(({ ordinal }) => ordinal));
  const counts = children.map(({ parents }) => parents.filter((parent) => !refused.has(parent)).length);
  return counts.reduce((sum, count) => sum + count, 0);
}

function toLetters(batch: Batch, refusals: readonly Refusal[]): LedgerLetter[] {
  if (refusals.length === 0) return [];
  const byOrdinal = new Map(refusals.map((refusal) => [refusal.ordinal, refusal]));
  const letters: LedgerLetter[] = [];
  const cursor = new DocumentCursor(batch.documents);
  for (let ordinal = 0; cursor.next(); ordinal++) {
    const refusal = byOrdinal.get(ordinal);
    if (refusal === undefined) continue;
    const document = Buffer.from(batch.documents.subarray(cursor.start, cursor.end));
    letters.push({ ...refusal, document, id: describeId(document), reason: 'refused' });
  }
  return letters;
}
