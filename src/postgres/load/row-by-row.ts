/**
 * The row-by-row fallback for a batch of which Postgres rejects some rows: finds out which and why, without a round trip for each.
 * Values of types that we do not encode in binary are staged as text and cast.
 *
 * COPY is all or nothing. So the rows are copied into a temporary table without the target's constraints (the stage), and a
 * function inserts them from there: block by block, and row by row only in blocks that fail.
 */

import pg from 'pg';
import { isIdColumn, listDescendants, type ChildTable, type Plan } from '../../transcode/plan.ts';
import { copyColumns, stagedValues } from '../table/ddl.ts';
import { readDistribution } from '../table/distribution.ts';
import { isRefusalByRoutine, isRefusalSql } from '../connection/transient-errors.ts';
import {
  emptyStages,
  partsWithout,
  ensureStage,
  type Refusal,
  type Stage,
  type StageableBatch,
  StagedDocuments,
} from './stage.ts';
import { qualifiedName } from '../connection/relations.ts';

/** Each run has a plan of its own, and so a stage of its own. */
interface StagedRun {
  readonly runId: string;
  readonly plan: Plan;
}

const stageOf = ({ runId }: StagedRun): string => `pg_temp.mongo2pg_stage_${runId}`;
const childStageOf = (run: StagedRun, index: number): string => `${stageOf(run)}_child_${index}`;
const functionOf = ({ runId }: StagedRun): string => `pg_temp.mongo2pg_insert_staged_${runId}`;

/** Each row of a failed block costs a subtransaction, and each block one more scan. */
const rowsPerBlock = 250;

/**
 * To be called in a transaction. Inserts the rows that are not rejected.
 * @param kept ordinals of documents whose rows are in the table already
 * @throws the error of Postgres when it concerns more than single rows
 */
export async function loadRowByRow(
  client: pg.Client,
  run: StagedRun,
  batch: StageableBatch,
  kept: ReadonlySet<number> = new Set(),
): Promise<Refusal[]> {
  const { sources } = batch;
  if (sources === undefined || !hasSiblings(sources.ofRows)) {
    return await loadWithout(client, run, batch, kept);
  }
  return await loadWholeDocuments(client, run, batch, sources.ofRows);
}

/**
 * A document that became several rows is inserted with all of them or none. If some are rejected, the insertion is repeated without
 * the document.
 */
async function loadWholeDocuments(
  client: pg.Client,
  run: StagedRun,
  batch: StageableBatch,
  sources: readonly number[],
): Promise<Refusal[]> {
  const refusals: Refusal[] = [];
  const left = new Set<number>();
  await client.query('SAVEPOINT whole_documents');
  for (;;) {
    const found = await loadWithout(client, run, batch, left);
    const known = left.size;
    const refused = new Set(found.map(({ ordinal }) => sources[ordinal]));
    refusals.push(...found);
    for (const [row, source] of sources.entries()) if (refused.has(source)) left.add(row);
    if (left.size === known + found.length) break;
    await client.query('ROLLBACK TO SAVEPOINT whole_documents');
  }
  await client.query('RELEASE SAVEPOINT whole_documents');
  return refusals.sort((a, b) => a.ordinal - b.ordinal);
}

function hasSiblings(sources: readonly number[]): boolean {
  return sources.some((source, row) => row > 0 && source === sources[row - 1]);
}

/** @param left ordinals of documents to skip */
async function loadWithout(
  client: pg.Client,
  run: StagedRun,
  batch: StageableBatch,
  left: ReadonlySet<number>,
): Promise<Refusal[]> {
  const documents = new StagedDocuments(client, await prepareStages(client, run), batch);
  const unfit: Refusal[] = [];
  for (const [first, last] of partsWithout(documents.ordinals, left)) {
    if (first < last) unfit.push(...(await documents.stage(first, last)));
  }
  const rows = await insertStaged(client, run);
  // The function numbers only staged rows.
  const unstaged = new Set([...left, ...unfit.map(({ ordinal }) => ordinal)]);
  const staged = documents.ordinals.filter((ordinal) => !unstaged.has(ordinal));
  const refused = rows.map(({ row, ...refusal }) => ({ ...refusal, ordinal: staged[row] ?? -1 }));
  return [...unfit, ...refused].sort((a, b) => a.ordinal - b.ordinal);
}

type RowRefusal = Omit<Refusal, 'ordinal'> & { readonly row: number };

/**
 * The function classifies an error by its SQLSTATE, and ends at one that may concern all rows. If it turns out here to concern one
 * row, the function is repeated, and treats this SQLSTATE as a row error. Only for this batch, so that a privilege that is revoked
 * later is detected.
 */
async function insertStaged(client: pg.Client, run: StagedRun): Promise<RowRefusal[]> {
  const ofRows: string[] = [];
  for (;;) {
    await client.query('SAVEPOINT insert_staged');
    try {
      const { rows } = await client.query<RowRefusal>(
        `SELECT row_no AS row, code, column_name AS "column", message AS detail
           FROM ${functionOf(run)}(${rowsPerBlock}, $1)`,
        [ofRows],
      );
      await client.query('RELEASE SAVEPOINT insert_staged');
      return rows;
    } catch (error) {
      if (!(error instanceof pg.DatabaseError) || !isRefusalByRoutine(error)) throw error;
      const { code = '' } = error;
      if (ofRows.includes(code)) throw error;
      ofRows.push(code);
      await client.query('ROLLBACK TO SAVEPOINT insert_staged');
    }
  }
}

function childrenOf({ plan }: StagedRun): readonly ChildTable[] {
  return listDescendants(plan).map(({ child }) => child);
}

/** Temporary tables last as long as the session, so that most sessions create them once. */
async function prepareStages(client: pg.Client, run: StagedRun): Promise<Stage[]> {
  const stages = [
    { name: stageOf(run), plan: run.plan },
    ...childrenOf(run).map(({ plan }, index) => ({ name: childStageOf(run, index), plan })),
  ];
  let isNew = false;
  for (const stage of stages) isNew = (await ensureStage(client, stage)) || isNew;
  if (isNew) {
    const isDistributed = (await readDistribution(client, run.plan)) !== null;
    if (isDistributed) await client.query('SET LOCAL citus.enable_ddl_propagation = off');
    await client.query(insertFunction(run, isDistributed));
    const key = stageKeyStatement(run);
    if (key !== null) await client.query(key);
  }
  await emptyStages(client, stages);
  return stages;
}

/**
 * An index for the stage of a table whose primary key is built after the load, so that an `_id` too long for the key is rejected
 * now. A child table's key has array positions beside the `_id`.
 */
function stageKeyStatement({ runId, plan }: StagedRun): string | null {
  const place = plan.columns.findIndex(isIdColumn);
  const column = plan.columns[place];
  if (column === undefined || column.target !== undefined) return null;
  const longest = Math.max(1, ...listDescendants(plan).map(({ keyLength }) => keyLength));
  const keys = [`c${place}`, ...Array.from({ length: longest - 1 }, () => '(0)')];
  return `CREATE INDEX IF NOT EXISTS mongo2pg_key_${runId} ON ${stageOf({ runId, plan })} (${keys.join(', ')})`;
}

/**
 * The function. Most errors of single values do not name their column; assigning each value to a variable of its
 * column's type finds it.
 */
function insertFunction(run: StagedRun, isDistributed: boolean): string {
  const { plan } = run;
  const stage = stageOf(run);
  const target = qualifiedName(plan);
  const columns = copyColumns(plan);
  const quoted = columns.map((column) => pg.escapeIdentifier(column)).join(', ');
  const values = stagedValues(plan);
  const insert = (table: string, names: string, from: string): string =>
    `INSERT INTO ${table} (${names}) SELECT ${from}`;
  // Citus executes an INSERT without RETURNING as a COPY, whose errors lack the SQLSTATE. Both are committed in two phases, on any
  // number of nodes.
  const insertCounted = (which: string): string => {
    const statement = `${insert(target, quoted, values.join(', '))} FROM ${stage} WHERE ctid ${which}`;
    return isDistributed
      ? `inserted := 0;
          FOR added IN ${statement} RETURNING 1 LOOP inserted := inserted + 1; END LOOP;`
      : `${statement};
          GET DIAGNOSTICS inserted = ROW_COUNT;`;
  };
  // A document is inserted with all of its child rows, or not at all.
  const insertChildren = (which: string): string =>
    childrenOf(run)
      .map(({ plan: child }, index) => {
        const names = copyColumns(child).map((column) => pg.escapeIdentifier(column));
        const statement = `${insert(qualifiedName(child), names.join(', '), stagedValues(child).join(', '))}
              FROM ${childStageOf(run, index)}
             WHERE c0 IN (SELECT c${plan.columns.findIndex(isIdColumn)} FROM ${stage} WHERE ctid ${which})`;
        return isDistributed ? `FOR added IN ${statement} RETURNING 1 LOOP END LOOP;` : `${statement};`;
      })
      .join('\n          ');
  // In a block of its own with an initial value, since a variable of a NOT NULL domain cannot be declared without one.
  const probes = columns.map((column, index) => {
    const value = `(SELECT ${values[index] ?? ''} FROM ${stage} WHERE ctid = places[i])`;
    return `BEGIN
            DECLARE value ${target}.${pg.escapeIdentifier(column)}%TYPE := ${value};
            BEGIN END;
          EXCEPTION WHEN OTHERS THEN column_name := ${pg.escapeLiteral(column)};
          END;`;
  });
  return `CREATE OR REPLACE FUNCTION ${functionOf(run)}(block integer, of_rows text[])
    RETURNS TABLE (row_no integer, code text, column_name text, message text)
    LANGUAGE plpgsql AS $function$
    #variable_conflict use_column
    DECLARE
      places tid[];
      place_count integer;
      first integer := 1;
      last integer;
      inserted bigint;
      added record;
      extra_detail text;
    BEGIN
      -- A deferred constraint would fail only at COMMIT, when it is too late to know the row.
      SET CONSTRAINTS ALL IMMEDIATE;
      SELECT array_agg(ctid ORDER BY ctid) INTO places FROM ${stage};
      place_count := coalesce(array_length(places, 1), 0);
      WHILE first <= place_count LOOP
        last := least(first + block - 1, place_count);
        BEGIN
          ${insertCounted('= ANY (places[first:last])')}
          IF inserted <> last - first + 1 THEN RAISE EXCEPTION 'a trigger skipped rows'; END IF;
          ${insertChildren('= ANY (places[first:last])')}
        EXCEPTION WHEN OTHERS THEN
          IF NOT (${isRefusalSql} OR SQLSTATE = ANY (of_rows)) THEN RAISE; END IF;
          FOR i IN first..last LOOP
            BEGIN
              ${insertCounted('= places[i]')}
              IF inserted <> 1 THEN RAISE EXCEPTION 'a trigger of the table left the row out'; END IF;
              ${insertChildren('= places[i]')}
            EXCEPTION WHEN OTHERS THEN
              IF NOT (${isRefusalSql} OR SQLSTATE = ANY (of_rows)) THEN RAISE; END IF;
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
