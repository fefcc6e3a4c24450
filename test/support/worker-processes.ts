/** The workers of a command that are processes, those that were replaced included. */

import type { TestContext } from 'node:test';
import { setFailpoints, type FailpointRules, type Failpoints } from './failpoints.ts';

export class WorkerProcesses {
  readonly failpoints: Failpoints;
  readonly #killed = new Set<number>();

  private constructor(failpoints: Failpoints) {
    this.failpoints = failpoints;
  }

  /** @param rules more failpoints of the command */
  static async watch(t: TestContext, rules: FailpointRules): Promise<WorkerProcesses> {
    // Each leaves its id when it passes.
    const failpoints = await setFailpoints(t, { ...rules, 'worker-before-ready': 'pausex*' });
    await failpoints.resume('worker-before-ready');
    return new WorkerProcesses(failpoints);
  }

  /** Kills so many at once, as soon as there are as many; the primary hears of all together. */
  async killAll(primary: number, count: number): Promise<void> {
    const alive = new Set<number>();
    for (let firing = 1; alive.size < count; firing++) {
      const pid = await this.failpoints.waitUntilFired('worker-before-ready', firing);
      if (!this.#killed.has(pid)) alive.add(pid);
    }
    process.kill(primary, 'SIGSTOP');
    for (const pid of alive) {
      process.kill(pid, 'SIGKILL');
      this.#killed.add(pid);
    }
    process.kill(primary, 'SIGCONT');
  }
}
