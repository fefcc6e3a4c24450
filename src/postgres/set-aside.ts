/**
 * Loads a batch of which Postgres refuses some rows, and finds out which and why, without a round trip for each. Values of
 * a type without a binary form of ours are staged as text and cast.
 *
 * COPY is all or nothing, so the rows go into a temporary table without the target's constraints, from where a function
 * inserts them: block by block, and row by row only in the blocks that fail.
 */

import pg from 'pg';
import { isIdColumn, type ChildTable, type Plan } from '../plan/plan.ts';
import type { EncodedChild } from '../transcode/child-rows.ts';
import { copyRows } from './copy.ts';
import { copyColumns, qualifiedName, stagedValues, stageTypes } from './ddl.ts';
import { isRefusal, isRefusalSql } from './passing-errors.ts';
import { withoutRows } from '../transcode/copy-rows.ts';

/** A row that Postgres refused. */
export interface Refusal {
  /** The row's place among those of the batch, from 0. */
  readonly row: number;
  /** The SQLSTATE. */
  readonly code: string;
  readonly column: string | null;
  readonly detail: string;
}

/** Each run has a plan of its own, and so a stage of its own. */
interface StagedRun {
  readonly runId: string;
  readonly plan: Plan;
}

const stageOf = ({ runId }: StagedRun): string => `pg_temp.mongo2pg_stage_${runId}`;
const childStageOf = (run: StagedRun, index: number): string => `${stageOf(run)}_child_${index}`;
const functionOf = ({ runId }: StagedRun): string => `pg_temp.mongo2pg_insert_staged_${runId}`;

/** A block that fails costs a subtransaction for each of its rows, and each block one more scan. */
const rowsPerBlock = 250;

/**
 * To be called in a transaction, in which the rows that are not refused are inserted then.
 * @throws the error of Postgres when it is about more than single rows
 */
export async function loadSettingAside(
  client: pg.Client,
  run: StagedRun,
  copy: Buffer,
  rowCount: number,
  children: readonly EncodedChild[],
): Promise<Refusal[]> {
  await prepareStage(client, run);
  const unfit = await fillStage(client, run, copy, rowCount);
  for (const [index, child] of children.entries()) {
    await copyRows(client, `COPY ${childStageOf(run, index)} FROM STDIN (FORMAT binary)`, child.copy);
  }
  const { rows } = await client.query<Refusal>(
    `SELECT row_no AS row, code, column_name AS "column", message AS detail
       FROM ${functionOf(run)}(${rowsPerBlock})`,
  );
  // The stage's rows are counted without those that it refused itself.
  const staged = Array.from({ length: rowCount }, (_, row) => row).filter((row) => !unfit.has(row));
  const refused = rows.map((refusal) => ({ ...refusal, row: staged[refusal.row] ?? -1 }));
  return [...unfit.values(), ...refused].sort((a, b) => a.row - b.row);
}

function childrenOf({ plan }: StagedRun): readonly ChildTable[] {
  return plan.children ?? [];
}

/** Temporary tables live as long as the session, so that this happens once in most. */
async function prepareStage(client: pg.Client, run: StagedRun): Promise<void> {
  const stage = stageOf(run);
  const { rows } = await client.query<{ stage: string | null }>(`SELECT to_regclass('${stage}') AS stage`);
  if (rows[0]?.stage != null) {
    const stages = [stage, ...childrenOf(run).map((_, index) => childStageOf(run, index))];
    await client.query(`TRUNCATE ${stages.join(', ')}`);
    return;
  }
  const columns = stageTypes(run.plan).map((type, index) => `c${index} ${type}`);
  await client.query(`CREATE TABLE ${stage} (${columns.join(', ')}) ON COMMIT DELETE ROWS`);
  for (const [index, { plan }] of childrenOf(run).entries()) {
    const childColumns = stageTypes(plan).map((type, place) => `c${place} ${type}`);
    await client.query(
      `CREATE TABLE ${childStageOf(run, index)} (${childColumns.join(', ')}) ON COMMIT DELETE ROWS`,
    );
  }
  await client.query(insertFunction(run));
}

/** The rows that not even a table without constraints takes are named by COPY one at a time; there should be none. */
async function fillStage(
  client: pg.Client,
  run: StagedRun,
  copy: Buffer,
  rowCount: number,
): Promise<Map<number, Refusal>> {
  const unfit = new Map<number, Refusal>();
  let bytes = copy;
  while (unfit.size < rowCount) {
    await client.query('SAVEPOINT fill_stage');
    try {
      await copyRows(client, `COPY ${stageOf(run)} FROM STDIN (FORMAT binary)`, bytes);
      break;
    } catch (error) {
      const refusal = readRefusal(error, unfit, run.plan);
      if (refusal === null) throw error;
      await client.query('ROLLBACK TO SAVEPOINT fill_stage');
      if (isToldLate(error)) {
        unfit.clear();
        await fillByHalves(client, run, copy, [0, rowCount], unfit);
        return unfit;
      }
      unfit.set(refusal.row, refusal);
      bytes = withoutRows(copy, new Set(unfit.keys()));
    }
  }
  return unfit;
}

/**
 * A row that is too wide for a page is only found out when COPY writes the rows that it has gathered, and the line is then
 * that of the last one.
 */
function isToldLate(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.code === '54000';
}

/** Stages the rows from the first to before the last, all but those that not even a single row's COPY takes. */
async function fillByHalves(
  client: pg.Client,
  run: StagedRun,
  copy: Buffer,
  [first, last]: readonly [first: number, last: number],
  unfit: Map<number, Refusal>,
  rowCount = last,
): Promise<void> {
  const others = Array.from({ length: rowCount }, (_, row) => row).filter(
    (row) => row < first || row >= last,
  );
  await client.query('SAVEPOINT fill_half');
  try {
    await copyRows(
      client,
      `COPY ${stageOf(run)} FROM STDIN (FORMAT binary)`,
      withoutRows(copy, new Set(others)),
    );
    await client.query('RELEASE SAVEPOINT fill_half');
  } catch (error) {
    if (!isRefusal(error) || !(error instanceof pg.DatabaseError)) throw error;
    await client.query('ROLLBACK TO SAVEPOINT fill_half');
    if (last - first === 1) {
      unfit.set(first, { row: first, code: error.code ?? '', column: null, detail: error.message });
      return;
    }
    const middle = (first + last) >> 1;
    await fillByHalves(client, run, copy, [first, middle], unfit, rowCount);
    await fillByHalves(client, run, copy, [middle, last], unfit, rowCount);
  }
}

/** `COPY stage, line 3, column c1` → the third of the rows that were sent, and the second of their columns. */
function readRefusal(error: unknown, unfit: ReadonlyMap<number, Refusal>, plan: Plan): Refusal | null {
  if (!isRefusal(error) || !(error instanceof pg.DatabaseError)) return null;
  const match = /, line (\d+)(?:, column c(\d+))?/.exec(error.where ?? '');
  if (match?.[1] === undefined) return null;
  let row = Number(match[1]) - 1;
  for (const earlier of [...unfit.keys()].sort((a, b) => a - b)) if (earlier <= row) row++;
  const column = match[2] === undefined ? undefined : copyColumns(plan)[Number(match[2])];
  return { row, code: error.code ?? '', column: column ?? null, detail: error.message };
}

/**
 * The function. Most errors of single values do not name their column; assigning each value to a variable of its
 * column's type finds it.
 */
function insertFunction(run: StagedRun): string {
  const { plan } = run;
  const stage = stageOf(run);
  const target = qualifiedName(plan);
  const columns = copyColumns(plan);
  const quoted = columns.map((column) => pg.escapeIdentifier(column)).join(', ');
  const values = stagedValues(plan);
  const insert = `INSERT INTO ${target} (${quoted}) SELECT ${values.join(', ')} FROM ${stage} WHERE ctid`;
  // A document goes in with all of its child rows, or not at all.
  const insertChildren = (which: string): string =>
    childrenOf(run)
      .map(({ plan: child }, index) => {
        const names = copyColumns(child).map((column) => pg.escapeIdentifier(column));
        return `INSERT INTO ${qualifiedName(child)} (${names.join(', ')})
            SELECT ${stagedValues(child).join(', ')} FROM ${childStageOf(run, index)}
             WHERE c0 IN (SELECT c${plan.columns.findIndex(isIdColumn)} FROM ${stage} WHERE ctid ${which});`;
      })
      .join('\n          ');
  // In a block of its own with a value from the start: a domain that is NOT NULL has no variables without one.
  const probes = columns.map((column, index) => {
    const value = `(SELECT ${values[index] ?? ''} FROM ${stage} WHERE ctid = places[i])`;
    return `BEGIN
            DECLARE value ${target}.${pg.escapeIdentifier(column)}%TYPE := ${value};
            BEGIN END;
          EXCEPTION WHEN OTHERS THEN column_name := ${pg.escapeLiteral(column)};
          END;`;
  });
  return `CREATE FUNCTION ${functionOf(run)}(block integer)
    RETURNS TABLE (row_no integer, code text, column_name text, message text)
    LANGUAGE plpgsql AS $function$
    #variable_conflict use_column
    DECLARE
      places tid[];
      place_count integer;
      first integer := 1;
      last integer;
      inserted bigint;
      extra_detail text;
    BEGIN
      -- A deferred constraint would tell at COMMIT, when it is too late to know the row.
      SET CONSTRAINTS ALL IMMEDIATE;
      SELECT array_agg(ctid ORDER BY ctid) INTO places FROM ${stage};
      place_count := coalesce(array_length(places, 1), 0);
      WHILE first <= place_count LOOP
        last := least(first + block - 1, place_count);
        BEGIN
          ${insert} = ANY (places[first:last]);
          GET DIAGNOSTICS inserted = ROW_COUNT;
          IF inserted <> last - first + 1 THEN RAISE EXCEPTION 'a trigger left rows out'; END IF;
          ${insertChildren('= ANY (places[first:last])')}
        EXCEPTION WHEN OTHERS THEN
          IF NOT ${isRefusalSql} THEN RAISE; END IF;
          FOR i IN first..last LOOP
            BEGIN
              ${insert} = places[i];
              GET DIAGNOSTICS inserted = ROW_COUNT;
              IF inserted <> 1 THEN RAISE EXCEPTION 'a trigger of the table left the row out'; END IF;
              ${insertChildren('= places[i]')}
            EXCEPTION WHEN OTHERS THEN
              IF NOT ${isRefusalSql} THEN RAISE; END IF;
              GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
                column_name = COLUMN_NAME, extra_detail = PG_EXCEPTION_DETAIL;
              IF extra_detail <> '' THEN message := message || ' (' || extra_detail || ')'; END IF;
              column_name := nullif(column_name, '');
              IF column_name IS NULL THEN
                ${probes.join('\n                ')}
              END IF;
              row_no := i - 1;
              RETURN NEXT;
            END;
          END LOOP;
        END;
        first := last + 1;
      END LOOP;
    END
    $function$`;
}
