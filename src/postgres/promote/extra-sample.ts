/** A sample of the extra column, at a cost that does not grow with the table. */

import pg from 'pg';
import type { Plan } from '../../transcode/plan.ts';
import { qualifiedName } from '../connection/relations.ts';

/** Limits for pages of Postgres, rows and fields. */
const maxPages = 50;
const maxRows = 1_000;
const maxFields = 20_000;
/** A row with a larger extra column is skipped. */
const maxExtraBytes = 50_000;
/** Only the type of a long text or document is needed. */
const maxValueBytes = 1_000;
/** Cancels the query if it is slow even so. */
const timeout = '2s';

export interface ExtraSample {
  /** How many rows were sampled. */
  readonly rows: number;
  /** Values as text by field, long ones shortened. */
  readonly values: ReadonlyMap<string, readonly string[]>;
}

/** To be called in a transaction. @throws the error of Postgres if it takes too long */
export async function sampleExtra(client: pg.Client, plan: Plan): Promise<ExtraSample> {
  const table = qualifiedName(plan);
  const extra = pg.escapeIdentifier(plan.extraColumn ?? '');
  await client.query(`SET LOCAL statement_timeout = '${timeout}'`);
  const { rows: sizes } = await client.query<{ pages: number }>(
    // A partitioned table has no pages of its own.
    `SELECT greatest(1, sum(pg_relation_size(oid)) / current_setting('block_size')::int)::float8 AS pages
       FROM (SELECT $1::regclass AS oid UNION SELECT relid FROM pg_partition_tree($1)) part`,
    [table],
  );
  const percent = Math.min(100, (maxPages * 100) / (sizes[0]?.pages ?? 1));
  const { rows } = await client.query<{ rows: number; field: string | null; json: string }>(
    // In the order of the table the limit would leave out its later pages, and with them the fields that documents have of late.
    `WITH sampled AS MATERIALIZED (
       SELECT CASE WHEN pg_column_size(${extra}) <= ${maxExtraBytes} THEN ${extra} END AS extra
         FROM ${table} TABLESAMPLE SYSTEM (${percent}) ORDER BY random() LIMIT ${maxRows})
     SELECT n.rows::int, e.key AS field,
            CASE WHEN jsonb_typeof(e.value) = 'array' THEN '[]'
                 WHEN pg_column_size(e.value) <= ${maxValueBytes} THEN e.value::text
                 WHEN jsonb_typeof(e.value) = 'object' THEN '{}' ELSE '""' END AS json
       FROM (SELECT count(*) AS rows FROM sampled) n
       LEFT JOIN (SELECT key, value FROM sampled, jsonb_each(CASE jsonb_typeof(extra) WHEN 'object' THEN extra END)
                   LIMIT ${maxFields}) e ON true`,
  );
  const values = new Map<string, string[]>();
  for (const { field, json } of rows) {
    if (field === null) continue;
    const known = values.get(field);
    if (known === undefined) values.set(field, [json]);
    else known.push(json);
  }
  await client.query('SET LOCAL statement_timeout = 0');
  return { rows: rows[0]?.rows ?? 0, values };
}
