/** One run that follows, hurt at random instants while a writer changes documents; in the end it is cut over and compared. */

import { setTimeout as delay } from 'node:timers/promises';
import { MongoClient, type Collection } from 'mongodb';
import pg from 'pg';
import { readEvents, runProcess, startCli, type CliResult } from '../../test/support/cli.ts';
import { assertEqualTable } from '../../test/support/compare.ts';
import type { Random } from '../../src/common/random.ts';
import { faultKinds, faults, isAboutWorkers, signal, type FaultKind, type Scene } from './faults.ts';

interface Thing {
  readonly _id: number;
  readonly text: string;
  readonly n: number;
}

/** How a start may end that was hurt: killed, without a server, or told to stop. */
const honestCodes = new Set<number | null>([0, 3, 4, 130, 143, null]);
/** Not ready, or a server was away: it is asked again. */
const passingCodes = new Set<number | null>([3, 4, 8]);

const longestPauseMs = 2_500;
const maxStarts = 30;
const maxCutovers = 10;

export interface FollowSoakOptions {
  readonly name: string;
  readonly pool: string;
  readonly onFault: (kind: FaultKind) => void;
}

/** @throws when something is lost, doubled or hangs */
export async function soakFollowing(
  scene: Scene,
  random: Random,
  log: string[],
  { name, pool, onFault }: FollowSoakOptions,
): Promise<void> {
  const { mongo, postgres, mongoProxy, postgresProxy } = scene;
  const client = await MongoClient.connect(mongo.url);
  const collection = client.db('soak').collection<Thing>(name);
  const count = 500 + random.below(3_000);
  await collection.insertMany(
    Array.from({ length: count }, (_, _id) => ({ _id, text: `text ${_id}`, n: _id % 7 })),
  );
  const writer = new Writer(collection, count, random);
  const env = {
    MONGO_URL: mongoProxy.url(mongo.url),
    MONGO_DB: 'soak',
    MONGO_COLLECTION: name,
    POSTGRES_URL: postgresProxy.url(postgres.url),
    CLUSTER_IMPLEMENTATION: pool,
    CLUSTER_SIZE: String(1 + random.below(3)),
    ITEMS_PER_PAGE: String(50 + random.below(500)),
    RETRY_SECONDS: '20',
    WORKER_TIMEOUT_SECONDS: '2',
  };
  const kinds = pool === 'cluster' ? faultKinds : faultKinds.filter((kind) => !isAboutWorkers(kind));
  const hurts = Array.from({ length: 2 + random.below(5) }, () => random.pick(kinds));
  log.push(`${count} documents, ${env.CLUSTER_SIZE} workers of ${pool}`);
  const stopped: number[] = [];
  const following = new Following(scene, env, log, stopped, onFault);
  const writing = writer.run();
  try {
    const followed = following.run();
    // Before all else, so that its failure ends the run.
    followed.catch(() => undefined);
    while (hurts.length > 0) {
      await delay(200 + random.below(longestPauseMs));
      following.check();
      await following.hurt(hurts, random);
    }
    await delay(random.below(longestPauseMs));
    writer.stop();
    await writing;
    log.push(`${writer.written} writes`);
    await cutOver(env, log);
    following.isOver = true;
    await followed;
    const target = new pg.Client({ connectionString: postgres.url });
    await target.connect();
    try {
      await assertEqualTable(client.db('soak').collection(name), target, name);
    } finally {
      await target.end();
    }
    await collection.drop();
  } finally {
    writer.stop();
    await writing;
    following.isOver = true;
    following.kill();
    for (const pid of stopped) signal(pid, 'SIGKILL');
    await client.close();
  }
}

async function cutOver(env: Record<string, string>, log: string[]): Promise<void> {
  for (let attempt = 1; attempt <= maxCutovers; attempt++) {
    const { code, stderr }: CliResult = await runProcess(['cutover', '--wait', '60'], env);
    if (code === 0) return;
    const reason = stderr.trim().split('\n').at(-1) ?? '';
    log.push(`cutover ended with ${String(code)}: ${reason}`);
    if (!passingCodes.has(code)) throw new Error(`cutover ended with ${String(code)}: ${stderr.trim()}`);
    await delay(1_000);
  }
  throw new Error(`not cut over after ${maxCutovers} attempts`);
}

/** Starts the command again whenever it has ended, until it was cut over. */
class Following {
  readonly #scene: Scene;
  readonly #env: Record<string, string>;
  readonly #log: string[];
  readonly #stopped: number[];
  readonly #onFault: (kind: FaultKind) => void;
  #run: ReturnType<typeof startCli> | undefined;
  #workerPids: readonly number[] = [];
  #failure: unknown;
  isOver = false;

  constructor(
    scene: Scene,
    env: Record<string, string>,
    log: string[],
    stopped: number[],
    onFault: (kind: FaultKind) => void,
  ) {
    this.#scene = scene;
    this.#env = env;
    this.#log = log;
    this.#stopped = stopped;
    this.#onFault = onFault;
  }

  async run(): Promise<void> {
    try {
      for (let start = 1; !this.isOver; start++) {
        if (start > maxStarts) throw new Error(`not cut over after ${maxStarts} starts`);
        const { code, stderr } = await this.#runOnce();
        if (code === 0) return;
        const reason = code === 3 || code === 4 ? `: ${stderr.trim().split('\n').at(-1) ?? ''}` : '';
        this.#log.push(`ended with ${String(code)}${reason}`);
        if (!honestCodes.has(code)) throw new Error(`exit code ${String(code)}: ${stderr.trim()}`);
      }
    } catch (error) {
      this.#failure = error;
      throw error;
    }
  }

  check(): void {
    if (this.#failure !== undefined) throw this.#failure as Error;
  }

  kill(): void {
    this.#run?.process.kill('SIGKILL');
  }

  async hurt(hurts: FaultKind[], random: Random): Promise<void> {
    const run = this.#run;
    if (run?.process.exitCode !== null || run.process.signalCode !== null) return;
    const at = this.#workerPids.length === 0 ? hurts.findIndex((kind) => !isAboutWorkers(kind)) : 0;
    // Workers are told of by a copy alone: those of a start that only follows are nobody's to know.
    const [kind] = hurts.splice(Math.max(0, at), 1);
    if (at < 0 || kind === undefined) return;
    this.#log.push(kind);
    this.#onFault(kind);
    const workerPid = this.#workerPids.length === 0 ? 0 : random.pick(this.#workerPids);
    if (kind === 'worker stopped') this.#stopped.push(workerPid);
    await faults[kind](this.#scene, { run, workerPids: this.#workerPids, workerPid });
  }

  async #runOnce(): Promise<CliResult> {
    this.#workerPids = [];
    const run = startCli(['--follow', '--json'], this.#env);
    this.#run = run;
    const output = new AbortController();
    run.process.once('exit', () => {
      // A worker that is stopped holds on to the output of a command that has ended.
      if (this.#stopped.length === 0) return;
      output.abort();
      run.process.stdout?.destroy();
      run.process.stderr?.destroy();
    });
    for await (const event of readEvents(run.process, output.signal)) {
      if (event.kind === 'started' && this.#env.CLUSTER_IMPLEMENTATION === 'cluster') {
        this.#workerPids = event.workerIds.map(Number);
      }
    }
    return await run.result;
  }
}

/** Inserts, updates, replaces and deletes, whatever becomes of the server meanwhile. */
class Writer {
  readonly #collection: Collection<Thing>;
  readonly #random: Random;
  #next: number;
  #isStopping = false;
  written = 0;

  constructor(collection: Collection<Thing>, next: number, random: Random) {
    this.#collection = collection;
    this.#next = next;
    this.#random = random;
  }

  stop(): void {
    this.#isStopping = true;
  }

  async run(): Promise<void> {
    while (!this.#mustStop()) {
      try {
        await this.#write();
        this.written++;
      } catch {
        // What MongoDB has in the end is what counts, and not what was asked of it.
        await delay(100);
      }
    }
  }

  #mustStop(): boolean {
    return this.#isStopping;
  }

  async #write(): Promise<void> {
    const _id = this.#random.below(this.#next);
    const n = this.#random.below(1_000_000);
    switch (this.#random.below(5)) {
      case 0:
        await this.#collection.insertOne({ _id: this.#next++, text: `new ${n}`, n });
        return;
      case 1:
        await this.#collection.deleteOne({ _id });
        return;
      case 2:
        await this.#collection.replaceOne({ _id }, { text: `replaced ${n}`, n });
        return;
      default:
        await this.#collection.updateOne({ _id }, { $set: { n } });
    }
  }
}
