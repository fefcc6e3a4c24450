/**
 * `npm run bench -- --merge`: how changed rows get into a table: by the statement of this tool, and by others that leave the
 * same rows. Nothing but PostgreSQL takes part: the rows of each batch are staged as a drain stages them, which is not measured.
 *
 * All begin with the same table, and take turns; after each the table is compared with that of the first.
 */

import pg from 'pg';
import { formatCount } from '../../src/common/format.ts';
import { MergeStatements } from '../../src/postgres/follow/merge-statements.ts';
import { ensureStage, type Stage } from '../../src/postgres/load/stage.ts';
import { addPrimaryKeyStatement, createTableStatement } from '../../src/postgres/table/ddl.ts';
import type { Plan } from '../../src/transcode/plan.ts';
import { tableName } from './names.ts';
import { connectBench, type Place } from './place.ts';
import { median } from './results.ts';
import { readOwnCpuMs } from './usage.ts';

export interface MergeSettings {
  /** Rows in the table. */
  readonly amount: number;
  /** Changes that are merged by each, in batches of several sizes. */
  readonly changes: number;
  readonly rounds: number;
}

const sizes = [100, 1_000, 5_000];

const plan: Plan = {
  ...{ collection: tableName, schema: 'public', table: tableName, extraColumn: null, objectIdCollation: 'C' },
  columns: [
    { field: '_id', column: '_id', type: 'objectId' },
    { field: 'id', column: 'id', type: 'int32' },
    { field: 'username', column: 'username', type: 'string' },
    { field: 'email', column: 'email', type: 'string' },
    { field: 'age', column: 'age', type: 'int32' },
    { field: 'createdAt', column: 'createdAt', type: 'date' },
  ],
};
const [key = '', ...others] = plan.columns.map(({ column }) => pg.escapeIdentifier(column));
const columns = [key, ...others];
const keys: Stage = {
  name: 'pg_temp.bench_keys',
  plan: { ...plan, columns: plan.columns.slice(0, 1) },
};
const rows: Stage = { name: 'pg_temp.bench_rows', plan };
const table = `public.${tableName}`;

/** The values of a user of a number, as SQL. @param n of the key @param age as SQL as well */
const valuesOf = (n: string, age: string): string =>
  `lpad(to_hex(${n}), 24, '0'), ${n}::int, 'user' || ${n}, 'user' || ${n} || '@example.com', ${age}::int, to_timestamp(1.7e9 + ${n})`;

interface Variant {
  readonly name: string;
  merge(client: pg.Client): Promise<unknown>;
}

const staged = columns.map((_, index) => `s.c${index}`);
const assignments = others.map((column, index) => `${column} = s.c${index + 1}`);
const isDistinct = others.map((column, index) => `t.${column} IS DISTINCT FROM s.c${index + 1}`).join(' OR ');
const ours = new MergeStatements(plan, keys, [rows], { streamId: '0', collectionNo: 0, epoch: 0 });

/** This tool's statement with other ways to find rows by their keys. */
const withLookUps = (missing: string, gone: string): string => `WITH before AS (${missing}),
    gone AS (DELETE FROM ${table} t ${gone} RETURNING 1),
    merged AS (
      INSERT INTO ${table} AS t (${columns.join(', ')}) SELECT ${staged.join(', ')} FROM ${rows.name} s
      ON CONFLICT (${key}) DO UPDATE SET ${others.map((column) => `${column} = excluded.${column}`).join(', ')}
       WHERE ${others.map((column) => `excluded.${column} IS DISTINCT FROM t.${column}`).join(' OR ')} RETURNING 1)
  SELECT m.count - b.missing, (SELECT count(*) FROM gone) FROM before b, (SELECT count(*) FROM merged) m`;
const missingByJoin = `SELECT count(*) - count(t.${key}) AS missing FROM ${rows.name} s LEFT JOIN ${table} t ON t.${key} = s.c0`;
const goneKeys = `SELECT c0 FROM ${keys.name} EXCEPT SELECT c0 FROM ${rows.name}`;
const goneByJoin = `USING (${goneKeys}) k WHERE t.${key} = k.c0`;
const goneByAntiJoin = `USING ${keys.name} k WHERE t.${key} = k.c0 AND NOT EXISTS (SELECT FROM ${rows.name} s WHERE s.c0 = t.${key})`;

const variants: readonly Variant[] = [
  {
    name: 'INSERT … ON CONFLICT DO UPDATE … WHERE IS DISTINCT FROM (mongo2pg)',
    merge: (client) => ours.merge(client),
  },
  {
    name: 'the same, gone rows found by NOT EXISTS, not EXCEPT',
    merge: (client) => client.query(withLookUps(missingByJoin, goneByAntiJoin)),
  },
  {
    name: 'the same, keys as arrays in place of joins',
    merge: (client) =>
      client.query(
        withLookUps(
          `SELECT (SELECT count(*) FROM ${rows.name}) - count(*) AS missing FROM ${table} t
            WHERE t.${key} = ANY (ARRAY(SELECT c0 FROM ${rows.name}))`,
          `WHERE t.${key} = ANY (ARRAY(${goneKeys}))`,
        ),
      ),
  },
  {
    name: 'the same, without hash and merge joins',
    merge: (client) =>
      client.query(
        `SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; ${withLookUps(missingByJoin, goneByJoin)}`,
      ),
  },
  {
    name: 'the same, after ANALYZE of what is staged',
    merge: (client) =>
      client.query(`ANALYZE ${keys.name}; ANALYZE ${rows.name}; ${withLookUps(missingByJoin, goneByJoin)}`),
  },
  {
    name: 'the same without WHERE, and without counting which rows are new',
    merge: (client) =>
      client.query(`DELETE FROM ${table} t USING ${keys.name} k
          WHERE t.${key} = k.c0 AND NOT EXISTS (SELECT FROM ${rows.name} s WHERE s.c0 = k.c0);
        INSERT INTO ${table} AS t (${columns.join(', ')}) SELECT ${staged.join(', ')} FROM ${rows.name} s
        ON CONFLICT (${key}) DO UPDATE SET ${others.map((column) => `${column} = excluded.${column}`).join(', ')}`),
  },
  {
    name: 'the same with WHERE, but without counting which rows are new',
    merge: (client) =>
      client.query(`DELETE FROM ${table} t USING ${keys.name} k
          WHERE t.${key} = k.c0 AND NOT EXISTS (SELECT FROM ${rows.name} s WHERE s.c0 = k.c0);
        INSERT INTO ${table} AS t (${columns.join(', ')}) SELECT ${staged.join(', ')} FROM ${rows.name} s
        ON CONFLICT (${key}) DO UPDATE SET ${others.map((column) => `${column} = excluded.${column}`).join(', ')}
         WHERE ${others.map((column) => `t.${column} IS DISTINCT FROM excluded.${column}`).join(' OR ')}`),
  },
  {
    name: 'MERGE, with the same condition',
    merge: (client) =>
      client.query(`MERGE INTO ${table} t USING (SELECT k.c0 AS key, r.* FROM ${keys.name} k LEFT JOIN ${rows.name} r ON r.c0 = k.c0) s
          ON t.${key} = s.key
        WHEN MATCHED AND s.c0 IS NULL THEN DELETE
        WHEN MATCHED AND (${isDistinct}) THEN UPDATE SET ${assignments.join(', ')}
        WHEN NOT MATCHED AND s.c0 IS NOT NULL THEN INSERT (${columns.join(', ')}) VALUES (${staged.join(', ')})`),
  },
  {
    name: 'DELETE and INSERT',
    merge: (client) =>
      client.query(`DELETE FROM ${table} t USING ${keys.name} k WHERE t.${key} = k.c0;
        INSERT INTO ${table} (${columns.join(', ')}) SELECT ${staged.join(', ')} FROM ${rows.name} s`),
  },
];

interface Cost {
  readonly ms: number;
  readonly cpuMs: number;
  readonly walBytes: number;
  /** What the table and its index have grown by. */
  readonly grownBytes: number;
}

/** @returns a table of what was measured */
export async function compareMerges(place: Place, settings: MergeSettings): Promise<string> {
  const { amount, changes, rounds } = settings;
  const lines = [
    `| of ${formatCount(changes)} changes | ids a batch | rows that change | µs a change | CPU µs | WAL bytes | growth, bytes |`,
    '| --- | ---: | ---: | ---: | ---: | ---: | ---: |',
  ];
  for (const changed of [1, 0.5]) {
    for (const size of sizes) {
      const costs = variants.map((): Cost[] => []);
      for (let round = 0; round <= rounds; round++) {
        let wanted: string | null = null;
        for (const [index, variant] of variants.entries()) {
          const { cost, checksum } = await measure(place, variant, { amount, changes, size, changed });
          wanted ??= checksum;
          if (checksum !== wanted) {
            throw new Error(`${variant.name}: the table has ${checksum}, not ${wanted}`);
          }
          // The first round warms up.
          if (round > 0) costs[index]?.push(cost);
        }
        console.log(
          `batches of ${size}, ${changed * 100}% of updates change a row, round ${round}: tables equal`,
        );
      }
      for (const [index, { name }] of variants.entries()) {
        const each = (of: (cost: Cost) => number): string =>
          (median((costs[index] ?? []).map(of)) / changes).toFixed(1);
        const measured = [each(({ ms }) => ms * 1000), each(({ cpuMs }) => cpuMs * 1000)];
        const bytes = [each(({ walBytes }) => walBytes), each(({ grownBytes }) => grownBytes)];
        lines.push(`| ${[name, size, `${changed * 100}%`, ...measured, ...bytes].join(' | ')} |`);
      }
    }
  }
  return lines.join('\n');
}

interface Work {
  readonly amount: number;
  readonly changes: number;
  readonly size: number;
  /** The part of the updates that give a row other values. */
  readonly changed: number;
}

async function measure(
  { client: own, postgresUrl }: Place,
  variant: Variant,
  { amount, changes, size, changed }: Work,
): Promise<{ readonly cost: Cost; readonly checksum: string }> {
  await own.query(`DROP TABLE IF EXISTS ${table}`);
  await own.query(createTableStatement(plan));
  await own.query(
    `INSERT INTO ${table} SELECT ${valuesOf('n', 'n % 90')} FROM generate_series(1, ${amount}) AS n`,
  );
  await own.query(addPrimaryKeyStatement(plan));
  await own.query(`VACUUM ANALYZE ${table}`);
  await own.query('CHECKPOINT');
  const before = await readBytes(own);
  // Its own server process has the processor time of its work only.
  const client = await connectBench(postgresUrl);
  try {
    const { rows: found } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    const pid = found[0]?.pid ?? 0;
    for (const stage of [keys, rows]) await ensureStage(client, stage);
    let cost: Cost = { ms: 0, cpuMs: 0, walBytes: 0, grownBytes: 0 };
    for (let first = 0; first < changes; first += size) {
      await client.query('BEGIN');
      await stageBatch(client, { amount, first, size: Math.min(size, changes - first), changed });
      const walBefore = await readWal(client);
      const cpuBefore = readOwnCpuMs(pid) ?? 0;
      const startedMs = performance.now();
      await variant.merge(client);
      const ms = performance.now() - startedMs;
      const cpuMs = (readOwnCpuMs(pid) ?? 0) - cpuBefore;
      const walBytes = (await readWal(client)) - walBefore;
      await client.query('COMMIT');
      cost = { ...cost, ms: cost.ms + ms, cpuMs: cost.cpuMs + cpuMs, walBytes: cost.walBytes + walBytes };
    }
    const grownBytes = (await readBytes(own)) - before;
    return { cost: { ...cost, grownBytes }, checksum: await readRows(own) };
  } finally {
    await client.end();
  }
}

/** Of every ten changes two are inserts, six updates and two deletes, spread over the table; each `_id` once in a batch. */
async function stageBatch(
  client: pg.Client,
  {
    amount,
    first,
    size,
    changed,
  }: { readonly amount: number; readonly first: number; readonly size: number; readonly changed: number },
): Promise<void> {
  const numbers = `SELECT i, CASE WHEN i % 10 < 2 THEN ${amount} + i
      ELSE (i::bigint * 7919) % ${amount} + 1 END AS n FROM generate_series(${first}, ${first + size - 1}) AS i`;
  await client.query(
    `INSERT INTO ${keys.name} SELECT DISTINCT lpad(to_hex(n), 24, '0') FROM (${numbers}) c;
     INSERT INTO ${rows.name} SELECT DISTINCT ON (n) ${valuesOf('n', `CASE WHEN i % 1000 < ${1000 * changed} OR i % 10 < 2 THEN 1000 + i ELSE n % 90 END`)}
       FROM (${numbers}) c WHERE i % 10 < 8 ORDER BY n, i`,
  );
}

async function readWal(client: pg.Client): Promise<number> {
  const { rows: found } = await client.query<{ bytes: string }>(
    "SELECT pg_current_wal_insert_lsn() - '0/0' AS bytes",
  );
  return Number(found[0]?.bytes);
}

async function readBytes(client: pg.Client): Promise<number> {
  const { rows: found } = await client.query<{ bytes: string }>(
    `SELECT pg_total_relation_size('${table}') AS bytes`,
  );
  return Number(found[0]?.bytes);
}

async function readRows(client: pg.Client): Promise<string> {
  const { rows: found } = await client.query<{ checksum: string }>(
    `SELECT count(*) || ' rows, sum of hashes ' || sum(hashtextextended(t::text, 0)) AS checksum FROM ${table} t`,
  );
  return found[0]?.checksum ?? '';
}
