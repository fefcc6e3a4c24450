/** The statements of a merge. Temporary tables hold the requested keys, the rows, and their child rows. */

import pg from 'pg';
import type { Drain } from '../../source/page.ts';
import { listDescendants, type Plan } from '../../transcode/plan.ts';
import { isDistinct, keyColumn, keyIndex } from '../compare/expected-rows.ts';
import { qualifiedName } from '../connection/relations.ts';
import { runStatements } from '../connection/several-statements.ts';
import type { Stage } from '../load/stage.ts';
import { copyColumns, stagedValues } from '../table/ddl.ts';
import type { FollowedCollection } from '../worker-settings.ts';
import { noteStatement } from './notes.ts';
import { forgetDifferencesStatement } from './unverified.ts';

const quote = pg.escapeIdentifier;

/** How the rows of the tables have changed. */
export interface MergeCounts {
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
  /** Change of the number of rows in child tables. */
  readonly childRows: number;
}

/** How the rows of a drain were merged. */
export interface DrainEnd extends Pick<LockedSlot, 'isNoted' | 'hasDifferences'> {
  /** Journal entries of documents whose rows were rejected. */
  readonly refused: readonly number[];
  /** Row by row, with savepoints. */
  readonly isSingly: boolean;
}

/** The locked slot of a drain. */
export interface LockedSlot {
  readonly hasLetters: boolean;
  /** Whether merged documents are noted, to be compared again. */
  readonly isNoted: boolean;
  /** Whether the slot has documents that differed when they were compared. */
  readonly hasDifferences: boolean;
}

export class MergeStatements {
  readonly #stream: FollowedCollection;
  readonly #deleteChildren: readonly string[];
  readonly #merge: string;
  readonly #insertChildren: readonly string[];
  readonly #deleteOwn: string;
  readonly #transactions: string;

  /** @param stages for the plan's own table, and those for its children */
  constructor(plan: Plan, keys: Stage, stages: readonly Stage[], stream: FollowedCollection) {
    this.#stream = stream;
    const sql = writeStatements(plan, keys, stages);
    this.#deleteChildren = sql.deleteChildren;
    this.#merge = sql.merge;
    this.#insertChildren = sql.insertChildren;
    this.#deleteOwn = sql.deleteOwn;
    this.#transactions = sql.transactions;
  }

  /**
   * Locks the slot against other drains until the end of the transaction.
   * @param epoch of the slot, when this drain was taken
   * @returns null if another drain was faster, or the slot has another owner
   */
  async lockSlot(
    client: pg.Client,
    { slot, drainNo }: Drain,
    epoch: number,
    runId: string,
  ): Promise<LockedSlot | null> {
    const { streamId, collectionNo } = this.#stream;
    const place = `stream_id = ${streamId} AND collection_no = ${collectionNo} AND slot = ${slot}`;
    // Only a second statement sees what the previous holder of the lock has written.
    const results = (await client.query(
      `SELECT is_noted AS "isNoted" FROM mongo2pg.slots WHERE ${place} AND epoch = ${epoch} AND drain_no = ${drainNo} FOR UPDATE;
       SELECT EXISTS (SELECT FROM mongo2pg.dead_letters WHERE run_id = ${runId}) AS "hasLetters",
              EXISTS (SELECT FROM mongo2pg.unverified WHERE ${place}) AS "hasDifferences"`,
    )) as unknown as readonly [
      pg.QueryResult<Pick<LockedSlot, 'isNoted'>>,
      pg.QueryResult<Omit<LockedSlot, 'isNoted'>>,
    ];
    const [locked, found] = results.map(({ rows }) => rows[0]);
    return locked === undefined || found === undefined ? null : ({ ...locked, ...found } as LockedSlot);
  }

  /** @returns negative `inserted` if a trigger skipped rows */
  async merge(client: pg.Client): Promise<MergeCounts> {
    const results = await runAll(client, [...this.#deleteChildren, this.#merge, ...this.#insertChildren]);
    const { inserted = -1, updated = 0, deleted = 0 } = results[this.#deleteChildren.length]?.counts ?? {};
    const inChildren = results.slice(this.#deleteChildren.length + 1);
    const childRows = sumRows(inChildren) - sumRows(results.slice(0, this.#deleteChildren.length));
    return { inserted, updated, deleted, childRows };
  }

  async deleteAll(client: pg.Client): Promise<Pick<MergeCounts, 'deleted' | 'childRows'>> {
    const results = await runAll(client, [...this.#deleteChildren, this.#deleteOwn]);
    const own = results.at(-1)?.rowCount ?? 0;
    return { deleted: own, childRows: own - sumRows(results) };
  }

  /** Removes the changes from the journal, except those whose rows were rejected, and increments the drain number of the slot. */
  async finish(
    client: pg.Client,
    drain: Drain,
    { inserted, updated, deleted, childRows }: MergeCounts,
    { refused, isNoted, hasDifferences, isSingly }: DrainEnd,
  ): Promise<void> {
    const { streamId, collectionNo } = this.#stream;
    const { slot, seqs } = drain;
    const place = `stream_id = ${streamId} AND collection_no = ${collectionNo} AND slot = ${slot}`;
    const left = new Set(refused);
    const done = seqs.flat().filter((seq) => !left.has(seq));
    const statements = [
      ...(done.length === 0
        ? []
        : [`DELETE FROM mongo2pg.changes WHERE ${place} AND seq = ANY ('{${done.join(',')}}')`]),
      ...(refused.length === 0
        ? []
        : [
            `UPDATE mongo2pg.changes SET is_refused = true WHERE ${place} AND seq IN (${refused.join(', ')})`,
          ]),
    ];
    if (isNoted) statements.push(noteStatement(this.#stream, drain), this.#noteTransactions(isSingly));
    if (hasDifferences) statements.push(forgetDifferencesStatement(this.#stream, drain));
    await client.query(
      `${statements.map((statement) => `${statement};`).join('\n')}
       UPDATE mongo2pg.slots
          SET drain_no = drain_no + 1, inserted = inserted + ${inserted}, updated = updated + ${updated},
              deleted = deleted + ${deleted}, child_rows = child_rows + ${childRows}
        WHERE ${place}`,
    );
  }

  /** Records the transaction ids of the rows: rows after a savepoint have a subtransaction of their own. */
  #noteTransactions(isSingly: boolean): string {
    const { streamId, collectionNo } = this.#stream;
    const transactions = isSingly ? this.#transactions : currentTransaction;
    return `INSERT INTO mongo2pg.merges (stream_id, collection_no, xid)
      SELECT ${streamId}, ${collectionNo}, xid FROM (${transactions}) t`;
  }
}

interface StatementResult {
  readonly rowCount: number;
  readonly counts: Partial<Record<'inserted' | 'updated' | 'deleted', number>>;
}

/** In one round trip. */
async function runAll(client: pg.Client, statements: readonly string[]): Promise<StatementResult[]> {
  const results = await runStatements<Record<string, string>>(client, statements.join(';\n'));
  return results.map(({ rowCount, rows }) => ({
    rowCount: rowCount ?? 0,
    counts: Object.fromEntries(Object.entries(rows[0] ?? {}).map(([name, count]) => [name, Number(count)])),
  }));
}

function sumRows(results: readonly StatementResult[]): number {
  return results.reduce((sum, { rowCount }) => sum + rowCount, 0);
}

const currentTransaction = 'SELECT pg_current_xact_id()::xid AS xid';

interface Written {
  readonly deleteChildren: readonly string[];
  readonly merge: string;
  readonly insertChildren: readonly string[];
  readonly deleteOwn: string;
  readonly transactions: string;
}

/**
 * The parts of `merge` share a snapshot: each row is deleted, inserted or updated by exactly one of them.
 */
function writeStatements(plan: Plan, keys: Stage, [own, ...ofChildren]: readonly Stage[]): Written {
  if (own === undefined) throw new RangeError('a plan has a table of its own');
  const table = qualifiedName(plan);
  // Child rows are deleted before their parents, and inserted after them.
  const descendants = listDescendants(plan);
  const columns = copyColumns(plan);
  const values = stagedValues(plan, 's.');
  const keyPlace = keyIndex(plan);
  const key = quote(keyColumn(plan));
  const stagedKey = values[keyPlace] ?? '';
  const askedKey = stagedValues(keys.plan, 'k.')[0] ?? '';
  const isOther = (_: string, index: number): boolean => index !== keyPlace;
  const assignments = columns.filter(isOther).map((column) => `${quote(column)} = excluded.${quote(column)}`);
  const distinct = columns
    .map((column, index) => isDistinct(plan, index, `excluded.${quote(column)}`, `t.${quote(column)}`))
    .filter(isOther);
  const action =
    assignments.length === 0
      ? 'DO NOTHING'
      : `DO UPDATE SET ${assignments.join(', ')} WHERE ${distinct.join(' OR ')}`;
  return {
    deleteChildren: [...descendants].reverse().map(({ child: { plan: child } }) => {
      const parent = quote(child.columns[0]?.column ?? '');
      return `DELETE FROM ${qualifiedName(child)} c USING ${keys.name} k WHERE c.${parent} = ${askedKey}`;
    }),
    merge: `WITH before AS (
        SELECT count(*) - count(t.${key}) AS missing FROM ${own.name} s LEFT JOIN ${table} t ON t.${key} = ${stagedKey}),
      gone AS (
        DELETE FROM ${table} t USING (
          SELECT ${askedKey} AS key FROM ${keys.name} k EXCEPT SELECT ${stagedKey} FROM ${own.name} s) k
         WHERE t.${key} = k.key
        RETURNING 1),
      merged AS (
        INSERT INTO ${table} AS t (${columns.map(quote).join(', ')}) SELECT ${values.join(', ')} FROM ${own.name} s
        ON CONFLICT (${key}) ${action} RETURNING 1)
      SELECT CASE WHEN m.count < b.missing THEN -1 ELSE b.missing END AS inserted,
             m.count - b.missing AS updated, (SELECT count(*) FROM gone) AS deleted
        FROM before b, (SELECT count(*) FROM merged) m`,
    insertChildren: ofChildren.map(({ name, plan: child }) => {
      const names = copyColumns(child).map(quote).join(', ');
      return `INSERT INTO ${qualifiedName(child)} (${names}) SELECT ${stagedValues(child).join(', ')} FROM ${name}`;
    }),
    deleteOwn: `DELETE FROM ${table} t USING ${keys.name} k WHERE t.${key} = ${askedKey}`,
    transactions: [
      currentTransaction,
      `SELECT t.xmin FROM ${table} t JOIN ${keys.name} k ON t.${key} = ${askedKey}`,
      ...descendants.map(({ child: { plan: child } }) => {
        const parent = quote(child.columns[0]?.column ?? '');
        return `SELECT c.xmin FROM ${qualifiedName(child)} c JOIN ${keys.name} k ON c.${parent} = ${askedKey}`;
      }),
    ].join(' UNION '),
  };
}
