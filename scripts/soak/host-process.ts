/** One host of a soak: a process with a proxy of its own to PostgreSQL, and its faults. */

import { setTimeout as delay } from 'node:timers/promises';
import type { Random } from '../../src/common/random.ts';
import { readEvents, startCli, type CliResult, type RunningCli } from '../../test/support/cli.ts';
import { startProxy, type Proxy } from '../../test/support/tcp-proxy.ts';
import { signal } from './faults.ts';

/** A heartbeat each 200 ms, and dead after three seconds without one. */
const hostLimits = { env: '200/3000', deadAfterMs: 3_000 };

export class HostProcess {
  readonly label: string;
  readonly #run: RunningCli;
  readonly #proxy: Proxy;
  /** When a migration may be over. */
  isWaiting = false;
  /** It takes part in the copy, or leads it. */
  isAtWork = false;
  /** Set once it has ended. */
  result: CliResult | undefined;
  readonly ended: Promise<void>;

  private constructor(label: string, run: RunningCli, proxy: Proxy) {
    this.label = label;
    this.#run = run;
    this.#proxy = proxy;
    this.ended = this.#follow();
  }

  static async start(
    label: string,
    args: readonly string[],
    env: Readonly<Record<string, string>>,
    postgres: { readonly port: number; readonly url: string },
  ): Promise<HostProcess> {
    const proxy = await startProxy(postgres);
    const own = { ...env, POSTGRES_URL: proxy.url(postgres.url), MONGO2PG_HOST_LIMITS: hostLimits.env };
    return new HostProcess(label, startCli([...args, '--json'], own), proxy);
  }

  kill(name: NodeJS.Signals): void {
    const { pid } = this.#run.process;
    if (pid !== undefined && this.result === undefined) signal(pid, name);
  }

  /** Suspends it for so long. */
  async stopFor(ms: number): Promise<void> {
    this.kill('SIGSTOP');
    await delay(ms);
    this.kill('SIGCONT');
  }

  /** Cut off from PostgreSQL for so long. */
  async cutOffFor(ms: number, isSilent: boolean): Promise<void> {
    if (isSilent) {
      this.#proxy.goSilent();
    } else {
      this.#proxy.refuse();
      this.#proxy.cut();
    }
    await delay(ms);
    if (isSilent) this.#proxy.cut();
    await this.#proxy.restore();
  }

  async #follow(): Promise<void> {
    for await (const { kind } of readEvents(this.#run.process)) {
      this.isWaiting = kind === 'host-waiting';
      this.isAtWork ||= kind === 'progress';
    }
    this.result = await this.#run.result;
    await this.#proxy.close();
  }
}

/** By name. Each is fulfilled when the host is as before, if it is still running. */
export const hostFaults: Readonly<Record<string, (host: HostProcess, random: Random) => Promise<void>>> = {
  'host killed': (host) => {
    host.kill('SIGKILL');
    return host.ended;
  },
  'host interrupted': (host) => {
    host.kill('SIGINT');
    return Promise.resolve();
  },
  'host terminated twice': (host) => {
    host.kill('SIGTERM');
    host.kill('SIGTERM');
    return Promise.resolve();
  },
  'host stopped within its lease': (host, random) => host.stopFor(random.below(1_500)),
  'host stopped past its lease': (host, random) => host.stopFor(hostLimits.deadAfterMs + random.below(3_000)),
  'host cut off from PostgreSQL past its lease': (host, random) =>
    host.cutOffFor(hostLimits.deadAfterMs + random.below(3_000), false),
  'host cut off from PostgreSQL in silence past its lease': (host, random) =>
    host.cutOffFor(hostLimits.deadAfterMs + random.below(3_000), true),
};
