/** One process that follows, with its faults: it is started again whenever it has ended, until it was cut over. */

import { readEvents, startCli, type CliResult } from '../../test/support/cli.ts';
import type { Random } from '../../src/common/random.ts';
import { describeEvent } from '../../src/observe/describe-event.ts';
import { isAboutWorkers, listFaults, signal, type Fault } from './faults.ts';
import type { Followers, FollowersOptions } from './follow.ts';
import { describeEnd, requireHonestEnd } from './outcome.ts';

const maxStarts = 30;

export class FollowingProcess implements Followers {
  readonly #faults: Readonly<Record<string, Fault>>;
  readonly #random: Random;
  readonly #env: Readonly<Record<string, string>>;
  readonly #log: string[];
  readonly #onFault: (kind: string) => void;
  readonly #hurts: string[];
  readonly #stopped: number[] = [];
  #run: ReturnType<typeof startCli> | undefined;
  #workerPids: readonly number[] = [];
  isOver = false;

  constructor({ scene, random, env, log, onFault }: FollowersOptions) {
    this.#faults = listFaults(scene);
    this.#random = random;
    this.#env = env;
    this.#log = log;
    this.#onFault = onFault;
    const hasPids = env.CLUSTER_IMPLEMENTATION === 'cluster';
    const kinds = Object.keys(this.#faults).filter((kind) => hasPids || !isAboutWorkers(kind));
    this.#hurts = Array.from({ length: 2 + random.below(5) }, () => random.pick(kinds));
  }

  get hurtsLeft(): number {
    return this.#hurts.length;
  }

  async run(): Promise<void> {
    for (let start = 1; !this.isOver; start++) {
      if (start > maxStarts) throw new Error(`not cut over after ${maxStarts} starts`);
      const result = await this.#runOnce();
      if (result.code === 0) return;
      this.#log.push(describeEnd(result));
      requireHonestEnd(result);
    }
  }

  kill(): Promise<void> {
    this.isOver = true;
    this.#run?.process.kill('SIGKILL');
    for (const pid of this.#stopped) signal(pid, 'SIGKILL');
    return Promise.resolve();
  }

  async hurt(): Promise<void> {
    const hurts = this.#hurts;
    const run = this.#run;
    if (run?.process.exitCode !== null || run.process.signalCode !== null) return;
    const at = this.#workerPids.length === 0 ? hurts.findIndex((kind) => !isAboutWorkers(kind)) : 0;
    // Only a copy reports its workers: those of a start that only follows are unknown.
    const [kind] = hurts.splice(Math.max(0, at), 1);
    if (at < 0 || kind === undefined) return;
    this.#log.push(kind);
    this.#onFault(kind);
    const workerPid = this.#workerPids.length === 0 ? 0 : this.#random.pick(this.#workerPids);
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
