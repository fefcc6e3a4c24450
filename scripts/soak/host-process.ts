/** One host of a soak: a process with proxies of its own to the servers, and its faults. */

import { setTimeout as delay } from 'node:timers/promises';
import type { Random } from '../../src/common/random.ts';
import type { RunEvent } from '../../src/observe/events.ts';
import { readEvents, startCli, type CliResult, type RunningCli } from '../../test/support/cli.ts';
import { startProxy, type Proxy } from '../../test/support/tcp-proxy.ts';
import { retrySeconds } from './environment.ts';
import { signal, type Scene } from './faults.ts';
import type { SoakMongo } from './mongo.ts';

/** A heartbeat each 200 ms, and dead after three seconds without one. */
const hostLimits = { env: '200/3000', deadAfterMs: 3_000 };

export class HostProcess {
  readonly label: string;
  readonly #run: RunningCli;
  readonly #toPostgres: Proxy;
  /** None to a replica set, see `SoakMongo`. */
  readonly #toMongo: Proxy | null;
  /** When a migration may be over. */
  isWaiting = false;
  /** It takes part, or leads. */
  isAtWork = false;
  /** Set once it has ended. */
  result: CliResult | undefined;
  readonly ended: Promise<void>;

  private constructor(label: string, run: RunningCli, toPostgres: Proxy, toMongo: Proxy | null) {
    this.label = label;
    this.#run = run;
    this.#toPostgres = toPostgres;
    this.#toMongo = toMongo;
    this.ended = this.#listen();
  }

  /** @param env with the URL of MongoDB */
  static async start(
    label: string,
    args: readonly string[],
    env: Readonly<Record<string, string>>,
    { postgres, mongo }: Scene,
  ): Promise<HostProcess> {
    const toPostgres = await startProxy(postgres);
    const toMongo = mongo.proxyPort === null ? null : await startProxy({ port: mongo.proxyPort });
    const own = {
      ...env,
      ...(toMongo === null ? {} : { MONGO_URL: toMongo.url(mongo.url) }),
      POSTGRES_URL: toPostgres.url(postgres.url),
      MONGO2PG_HOST_LIMITS: hostLimits.env,
    };
    return new HostProcess(label, startCli([...args, '--json'], own), toPostgres, toMongo);
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

  async cutOffFromPostgres(ms: number, isSilent: boolean): Promise<void> {
    await this.#cutOff(this.#toPostgres, ms, isSilent);
  }

  async cutOffFromMongo(ms: number): Promise<void> {
    if (this.#toMongo !== null) await this.#cutOff(this.#toMongo, ms, false);
  }

  async #cutOff(proxy: Proxy, ms: number, isSilent: boolean): Promise<void> {
    if (isSilent) {
      proxy.goSilent();
    } else {
      proxy.refuse();
      proxy.cut();
    }
    await delay(ms);
    if (isSilent) proxy.cut();
    // The proxy of a host that has ended is closed.
    if (this.result === undefined) await proxy.restore();
  }

  async #listen(): Promise<void> {
    for await (const event of readEvents(this.#run.process)) {
      this.isWaiting = event.kind === 'host-waiting';
      this.isAtWork ||= isOfWork(event);
    }
    this.result = await this.#run.result;
    await Promise.all([this.#toPostgres.close(), this.#toMongo?.close()]);
  }
}

/** A host that follows and does not lead reports only how many slots it has. */
function isOfWork({ kind }: RunEvent): boolean {
  return kind === 'progress' || kind === 'following' || kind === 'host-merging';
}

type HostFault = (host: HostProcess, random: Random) => Promise<void>;

/** By name. Each is fulfilled when the host is as before, if it is still running. */
export function listHostFaults({ proxyPort }: SoakMongo): Readonly<Record<string, HostFault>> {
  return proxyPort === null ? faults : { ...faults, ...faultsWithMongo };
}

const faults: Readonly<Record<string, HostFault>> = {
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
    host.cutOffFromPostgres(hostLimits.deadAfterMs + random.below(3_000), false),
  'host cut off from PostgreSQL in silence past its lease': (host, random) =>
    host.cutOffFromPostgres(hostLimits.deadAfterMs + random.below(3_000), true),
};

const faultsWithMongo: Readonly<Record<string, HostFault>> = {
  'host cut off from MongoDB for a moment': (host, random) => host.cutOffFromMongo(random.below(4_000)),
  'host cut off from MongoDB for longer than it retries': (host, random) =>
    host.cutOffFromMongo(retrySeconds * 1_000 + random.below(4_000)),
};
