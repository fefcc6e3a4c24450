/** Shared by fault tests: a collection of simple documents, runs of the command on it, and the final comparison. */

import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import type { TestContext } from 'node:test';
import { MongoClient, type Collection, type Db } from 'mongodb';
import type pg from 'pg';
import type { ClusterImplementation } from '../../src/config/config.ts';
import { describeEvent } from '../../src/observe/describe-event.ts';
import type { RunEvent } from '../../src/observe/events.ts';
import type { Summary } from '../../src/observe/summary.ts';
import { forkBytes } from '../../src/workers/supervisor/workload.ts';
import { canBeFunction, pool, readEvents, runCli, startCli, type CliResult, type RunningCli } from './cli.ts';
import { assertEqualTable, type CompareOptions } from './compare.ts';
import { createClient } from './date-style.ts';
import { cleanUp } from './embedded.ts';
import { stepLimitMs } from './limits.ts';
import { withMajority } from './mongo-url.ts';
import { createSandbox, mongoUrl } from './servers.ts';
import { startProxy, type Proxy } from './tcp-proxy.ts';
import { giveSandboxBack, takeSandbox } from './sandbox-pool.ts';

export interface Scene {
  readonly db: Db;
  readonly collection: Collection;
  /** Of the same database. */
  otherCollection(name: string): Collection;
  readonly client: pg.Client;
  /** For the command: small pages and two workers, so that a fault happens during a run. */
  readonly env: Readonly<Record<string, string>>;
  run(env?: Readonly<Record<string, string>>, ...args: string[]): Promise<FaultRun>;
  start(env?: Readonly<Record<string, string>>, ...args: string[]): RunningCli;
  /** Each document is exactly once in the table, and nothing else is. */
  assertEqual(options?: CompareOptions): Promise<void>;
  query<Row extends pg.QueryResultRow>(sql: string, values?: unknown[]): Promise<Row[]>;
}

export interface FaultRun extends CliResult {
  readonly notices: string;
  readonly summary: Summary | undefined;
}

const name = 'things';

/** Why a fault of a worker's process is not tested on workers without one; false if they have one. */
export const lacksWorkerProcess =
  pool !== 'cluster' && `a worker of ${pool} is no process: it gets no signal, and ends with its primary`;

/** Why a crash of a worker is not tested on workers that end only with their primary. */
export function lacksSeparateWorkers(implementation: ClusterImplementation): string | false {
  return implementation === 'inline' && 'a worker of inline is part of the primary, and ends with it';
}

/** The failpoint action that crashes a worker and not the primary. */
export const crashAction = pool === 'inline' ? 'error' : 'kill';

/** How notices report that the failpoint action `kill` ended a worker. */
export const killed = {
  cluster: 'ended by SIGKILL',
  threads: 'ended with exit code 137',
  inline: '',
} as const;

/**
 * On the shared servers; removed after the test.
 * @param implementation how the workers of its runs run
 */
export async function setScene(t: TestContext, count = 3_000, implementation = pool): Promise<Scene> {
  const sandbox = await takeSandbox();
  cleanUp(t, () => giveSandboxBack(sandbox));
  await fill(sandbox.db.collection(name), count);
  const env = { ...sandbox.env, CLUSTER_IMPLEMENTATION: implementation };
  return sceneOf(t, sandbox.db, sandbox.client, env);
}

/** On private servers, or through a proxy: the URLs are those for the command. */
export async function setSceneOn(
  t: TestContext,
  servers: {
    readonly mongoUrl: string;
    readonly postgresUrl: string;
    readonly commandMongoUrl?: string;
    readonly commandPostgresUrl?: string;
  },
  count = 3_000,
  implementation = pool,
): Promise<Scene> {
  const mongo = await MongoClient.connect(withMajority(servers.mongoUrl));
  cleanUp(t, () => mongo.close());
  const client = createClient(servers.postgresUrl);
  // A server that a test stops ends this connection too.
  client.on('error', () => undefined);
  await client.connect();
  cleanUp(t, () => client.end().catch(() => undefined));
  await client.query(`DROP TABLE IF EXISTS ${name}; DROP SCHEMA IF EXISTS mongo2pg, mongo2pg_queue CASCADE`);
  // The MongoDB may be the shared one.
  const db = mongo.db(`mongo2pg_test_${randomBytes(6).toString('hex')}`);
  cleanUp(t, () => db.dropDatabase());
  await fill(db.collection(name), count);
  return sceneOf(t, db, client, {
    MONGO_URL: servers.commandMongoUrl ?? servers.mongoUrl,
    MONGO_DB: db.databaseName,
    POSTGRES_URL: servers.commandPostgresUrl ?? servers.postgresUrl,
    CLUSTER_IMPLEMENTATION: implementation,
  });
}

/** On the shared servers, with a proxy between the command and PostgreSQL. */
export async function setSceneByProxy(
  t: TestContext,
  { count, latencyMs = 0 }: { readonly count?: number; readonly latencyMs?: number } = {},
): Promise<{ scene: Scene; proxy: Proxy }> {
  const sandbox = await createSandbox();
  cleanUp(t, () => sandbox.remove());
  const { postgresUrl } = sandbox;
  const proxy = await startProxy({ port: Number(new URL(postgresUrl).port), latencyMs });
  cleanUp(t, () => proxy.close());
  const commandPostgresUrl = proxy.url(postgresUrl);
  return { scene: await setSceneOn(t, { mongoUrl, postgresUrl, commandPostgresUrl }, count), proxy };
}

function sceneOf(t: TestContext, db: Db, client: pg.Client, urls: Readonly<Record<string, string>>): Scene {
  const collection = db.collection(name);
  const env = { ...urls, MONGO_COLLECTION: name, CLUSTER_SIZE: '2', ITEMS_PER_PAGE: '50' };
  const start: Scene['start'] = (more = {}, ...args) => {
    const run = startCli([...args, '--json'], { ...env, ...more });
    killInTime(t, run.process);
    return run;
  };
  return {
    db,
    collection,
    otherCollection: (other) => db.collection(other),
    client,
    env,
    start,
    run: async (more = {}, ...args) => {
      const whole = { CLUSTER_IMPLEMENTATION: pool, ...env, ...more };
      const isFunction = canBeFunction(args, whole);
      return read(await (isFunction ? runCli([...args, '--json'], whole) : start(more, ...args).result));
    },
    assertEqual: (options) => assertEqualTable(collection, client, name, options),
    query: async <Row extends pg.QueryResultRow>(sql: string, values: unknown[] = []) =>
      (await client.query<Row>(sql, values)).rows,
  };
}

/** A command that hangs ends its test, and none outlives it. */
export function killInTime(t: TestContext, child: ChildProcess, afterMs = stepLimitMs): void {
  const kill = (): void => {
    child.kill('SIGKILL');
  };
  const timer = setTimeout(kill, afterMs);
  child.once('exit', () => {
    clearTimeout(timer);
  });
  cleanUp(t, kill);
}

export function documentsOf(count: number, first = 0): { _id: never; text: string; even: boolean }[] {
  return Array.from({ length: count }, (_, index) => ({
    _id: (first + index) as never,
    text: `text ${first + index}`,
    even: index % 2 === 0,
  }));
}

/** Makes the documents so large together that CLUSTER_SIZE=auto forks a worker. */
export async function makeWorthFork({ collection }: Scene): Promise<void> {
  const count = await collection.countDocuments();
  await collection.updateMany({}, { $set: { padding: 'x'.repeat(Math.ceil((1.1 * forkBytes) / count)) } });
}

async function fill(collection: Collection, count: number): Promise<void> {
  await collection.insertMany(documentsOf(count));
}

function read(result: CliResult): FaultRun {
  const events = result.stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as RunEvent);
  return {
    ...result,
    notices: events.flatMap((event) => describeEvent(event) ?? []).join('\n'),
    summary: events.find((event) => event.kind === 'summary'),
  };
}

/** Acts on a running run, and returns its result. */
export async function act(run: RunningCli, on: (event: RunEvent) => void | Promise<void>): Promise<FaultRun> {
  for await (const event of readEvents(run.process)) await on(event);
  return read(await run.result);
}

/** Asserts the exit code of a run; shows its output otherwise. */
export function assertCode(run: CliResult, code: number | null): void {
  assert.equal(run.code, code, `${run.stderr}\n${run.stdout.slice(-2000)}`);
}
