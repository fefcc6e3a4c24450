/** One run that follows, with faults at random times while a writer changes documents; in the end it is cut over and compared. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { MongoClient } from 'mongodb';
import { readEvents, runProcess, startCli, type CliResult } from '../../test/support/cli.ts';
import type { Random } from '../../src/common/random.ts';
import { describeEvent } from '../../src/observe/describe-event.ts';
import { createEnvironment } from './environment.ts';
import { describeEnd, describeLetters, lastLineOf, requireHonestEnd } from './outcome.ts';
import { passIdleTime } from './idle.ts';
import { makeSubject, subjects } from './subject.ts';
import { Writer } from './writer.ts';
import { isAboutWorkers, listFaults, signal, type Fault, type Scene } from './faults.ts';

/** Not ready, pending changes, or a server is unavailable: the cutover is repeated. */
const passingCodes = new Set<number | null>([3, 4, 5, 8]);

const longestPauseMs = 2_500;
/** The faults that follow an idle time. */
const idleShare = 0.3;
const maxStarts = 30;
const shownCharacters = 120;
/** Long enough for slow restarts of servers, and a busy machine. */
const cutoverLimitMs = 150_000;

export interface FollowSoakOptions {
  readonly name: string;
  readonly pool: string;
  readonly onFault: (kind: string) => void;
}

/** @throws when something is lost, duplicated or hangs */
export async function soakFollowing(
  scene: Scene,
  random: Random,
  log: string[],
  { name, pool, onFault }: FollowSoakOptions,
): Promise<void> {
  const { mongo, postgres } = scene;
  const client = await MongoClient.connect(mongo.url);
  const collection = client.db('soak').collection(name);
  const folder = await mkdtemp(join(tmpdir(), 'mongo2pg-soak-'));
  const subjectName = random.pick(subjects);
  const subject = await makeSubject(subjectName, collection, random, folder);
  const count = 500 + random.below(3_000);
  await subject.fill(count);
  const writer = new Writer(() => subject.change());
  const settings = { name, pool, workers: 1 + random.below(3), itemsPerPage: 50 + random.below(500) };
  const env = { ...createEnvironment(scene, settings), ...subject.env };
  const faults = listFaults(scene);
  const kinds = Object.keys(faults).filter((kind) => pool === 'cluster' || !isAboutWorkers(kind));
  const hurts = Array.from({ length: 2 + random.below(5) }, () => random.pick(kinds));
  log.push(`${subjectName}, ${count} documents, ${env.CLUSTER_SIZE} workers of ${pool}`);
  const stopped: number[] = [];
  const following = new Following(faults, env, log, stopped, onFault);
  const writing = writer.run();
  try {
    const followed = following.run();
    // Before all else, so that its failure ends the run.
    followed.catch(() => undefined);
    while (hurts.length > 0) {
      await delay(200 + random.below(longestPauseMs));
      following.check();
      if (random.chance(idleShare)) {
        log.push('idle');
        await writer.restDuring(() =>
          passIdleTime(client, scene, name, () => {
            following.check();
          }),
        );
      }
      await following.hurt(hurts, random);
    }
    await delay(random.below(longestPauseMs));
    writer.stop();
    await writing;
    log.push(`${writer.written} writes`);
    await subject.heal();
    await cutOver(env, log);
    following.isOver = true;
    await followed;
    await subject.requireEqual(postgres.url);
    await collection.drop();
  } catch (error) {
    log.push(...(await describeLetters(postgres.url, collection.namespace)));
    throw error;
  } finally {
    writer.stop();
    await writing;
    following.isOver = true;
    following.kill();
    for (const pid of stopped) signal(pid, 'SIGKILL');
    await client.close();
    await rm(folder, { recursive: true });
  }
}

async function cutOver(env: Record<string, string>, log: string[]): Promise<void> {
  const endMs = performance.now() + cutoverLimitMs;
  while (performance.now() < endMs) {
    const { code, stderr }: CliResult = await runProcess(['cutover', '--wait', '60'], env);
    if (code === 0) return;
    log.push(`cutover ended with ${String(code)}: ${lastLineOf(stderr).slice(0, shownCharacters)}`);
    // The start that was killed had opened no stream yet, and the next has not either.
    const isEarly = code === 2 && stderr.includes('is followed into the schema');
    if (!passingCodes.has(code) && !isEarly) {
      throw new Error(`cutover ended with ${String(code)}: ${stderr.trim()}`);
    }
    await delay(1_000);
  }
  throw new Error(`not cut over after ${cutoverLimitMs / 1000} s`);
}

/** Starts the command again whenever it has ended, until it was cut over. */
class Following {
  readonly #faults: Readonly<Record<string, Fault>>;
  readonly #env: Record<string, string>;
  readonly #log: string[];
  readonly #stopped: number[];
  readonly #onFault: (kind: string) => void;
  #run: ReturnType<typeof startCli> | undefined;
  #workerPids: readonly number[] = [];
  #failure: unknown;
  isOver = false;

  constructor(
    faults: Readonly<Record<string, Fault>>,
    env: Record<string, string>,
    log: string[],
    stopped: number[],
    onFault: (kind: string) => void,
  ) {
    this.#faults = faults;
    this.#env = env;
    this.#log = log;
    this.#stopped = stopped;
    this.#onFault = onFault;
  }

  async run(): Promise<void> {
    try {
      for (let start = 1; !this.isOver; start++) {
        if (start > maxStarts) throw new Error(`not cut over after ${maxStarts} starts`);
        const result = await this.#runOnce();
        if (result.code === 0) return;
        this.#log.push(describeEnd(result));
        requireHonestEnd(result);
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

  async hurt(hurts: string[], random: Random): Promise<void> {
    const run = this.#run;
    if (run?.process.exitCode !== null || run.process.signalCode !== null) return;
    const at = this.#workerPids.length === 0 ? hurts.findIndex((kind) => !isAboutWorkers(kind)) : 0;
    // Only a copy reports its workers: those of a start that only follows are unknown.
    const [kind] = hurts.splice(Math.max(0, at), 1);
    if (at < 0 || kind === undefined) return;
    this.#log.push(kind);
    this.#onFault(kind);
    const workerPid = this.#workerPids.length === 0 ? 0 : random.pick(this.#workerPids);
    if (kind === 'worker stopped') this.#stopped.push(workerPid);
    await this.#faults[kind]?.({ run, workerPids: this.#workerPids, workerPid });
  }

  async #runOnce(): Promise<CliResult> {
    this.#workerPids = [];
    const run = startCli(['--follow', '--json'], this.#env);
    this.#run = run;
    const output = new AbortController();
    run.process.once('exit', () => {
      // A stopped worker keeps the output of an ended command open.
      if (this.#stopped.length === 0) return;
      output.abort();
      run.process.stdout?.destroy();
      run.process.stderr?.destroy();
    });
    for await (const event of readEvents(run.process, output.signal)) {
      if (event.kind === 'worker-died') this.#log.push(describeEvent(event) ?? '');
      if (event.kind === 'started' && this.#env.CLUSTER_IMPLEMENTATION === 'cluster') {
        this.#workerPids = event.workerIds.map(Number);
      }
    }
    return await run.result;
  }
}
