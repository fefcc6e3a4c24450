/** Shared by tests of promote: documents in a dump, copies of it by plans, and a comparison of two copies. */

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Document } from 'bson';
import type pg from 'pg';
import { ExitCode } from '../../src/common/errors.ts';
import type { PromotionSummary } from '../../src/observe/promotion.ts';
import { runCli, runProcess, type CliResult } from './cli.ts';
import { dumpBson } from './dump.ts';
import { cleanUp, makeDirectory } from './embedded.ts';
import { createSandbox } from './servers.ts';

export interface PlanText {
  readonly columns: readonly object[];
  readonly [key: string]: unknown;
}

export interface PromoteScene {
  readonly env: Readonly<Record<string, string>>;
  readonly client: pg.Client;
  /** The path of the dump. */
  readonly dump: string;
  /** Copies the dump into a schema. */
  copy(plan: PlanText | null, ...args: readonly string[]): Promise<CliResult>;
  promote(...args: readonly string[]): Promise<CliResult>;
  /** `promote` in a process of its own, with failpoints. */
  start(failpoints: Readonly<Record<string, string>>, ...args: readonly string[]): Promise<CliResult>;
  run(...args: readonly string[]): Promise<CliResult>;
  /** `promote` that must succeed. */
  promoted(...args: readonly string[]): Promise<PromotionSummary>;
  /** Asserts that `verify` finds all equal, with dead letters or without. */
  assertVerified(): Promise<void>;
  /** Asserts that each row equals that of a copy with the plan. */
  assertAsCopiedBy(plan: PlanText): Promise<void>;
  rows<Row extends pg.QueryResultRow>(sql?: string): Promise<Row[]>;
}

/** The table of the promote. */
const table = 'things';

/** A plan with only the key; all else goes to the extra column. */
export const idOnly: PlanText = { columns: [{ column: '_id', path: '_id', type: 'int32' }] };

/** `idOnly` with further columns. */
export function withColumns(...columns: readonly object[]): PlanText {
  return { ...idOnly, columns: [...idOnly.columns, ...columns] };
}

export async function setPromoteScene(
  t: TestContext,
  documents: readonly (Document | Buffer)[],
): Promise<PromoteScene> {
  const [sandbox, folder] = await Promise.all([createSandbox(), makeDirectory(t)]);
  cleanUp(t, () => sandbox.remove());
  const dump = join(folder, `${table}.bson`);
  await writeFile(dump, dumpBson(documents));
  const env = { POSTGRES_URL: sandbox.postgresUrl };
  const { client } = sandbox;
  let plans = 0;
  const copy = async (plan: PlanText | null, ...args: readonly string[]): Promise<CliResult> => {
    const path = join(folder, `plan-${plans++}.json`);
    if (plan !== null) await writeFile(path, JSON.stringify(plan));
    const planned = plan === null ? [] : ['--plan', path];
    return await runCli(['--source', dump, ...planned, ...args], env);
  };
  const promote = (...args: readonly string[]): Promise<CliResult> => runCli(['promote', ...args], env);
  return {
    env,
    client,
    dump,
    copy,
    promote,
    start: (failpoints, ...args) => runProcess(['promote', ...args], { ...env, ...failpoints }),
    run: (...args) => runCli(args, env),
    promoted: async (...args) => {
      const result = await promote(...args, '--json');
      assert.equal(result.code, ExitCode.ok, result.stderr + result.stdout);
      return JSON.parse(result.stdout.trim().split('\n').at(-1) ?? '') as PromotionSummary;
    },
    assertVerified: async () => {
      const result = await runCli(['verify', '--source', dump], env);
      assert.equal(result.code, ExitCode.ok, result.stderr + result.stdout);
    },
    assertAsCopiedBy: async (plan) => {
      const result = await copy({ ...plan, schema: 'fresh' }, '--if-exists', 'drop');
      assert.ok(result.code === ExitCode.ok || result.code === ExitCode.deadLetters, result.stderr);
      const { rows } = await client.query<{ count: string; row: string; fresh: string | null }>(
        `SELECT to_jsonb(promoted)::text AS row, to_jsonb(copied)::text AS fresh
           FROM public.${table} promoted LEFT JOIN fresh.${table} copied USING (_id)
          WHERE to_jsonb(promoted) IS DISTINCT FROM to_jsonb(copied) LIMIT 3`,
      );
      assert.deepEqual(rows, []);
    },
    rows: async <Row extends pg.QueryResultRow>(sql = `SELECT * FROM ${table} ORDER BY _id`) =>
      (await client.query<Row>(sql)).rows,
  };
}
