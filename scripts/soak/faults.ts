/** What the soak does to a run: each kind of fault, and how it is brought about. */

import type { RunningCli } from '../../test/support/cli.ts';
import type { MongoStopMode, PostgresStopMode, PrivateServer } from '../../test/support/private-servers.ts';
import type { Proxy } from '../../test/support/tcp-proxy.ts';

export interface Scene {
  readonly postgres: PrivateServer<PostgresStopMode>;
  readonly mongo: PrivateServer<MongoStopMode>;
  readonly postgresProxy: Proxy;
  readonly mongoProxy: Proxy;
}

export interface Victim {
  readonly run: RunningCli;
  /** Of the workers that were started first; some may be gone. */
  readonly workerPids: readonly number[];
  /** Chosen at random. */
  readonly workerPid: number;
}

export const faults = {
  'worker killed': (_scene, { workerPid }) => {
    signal(workerPid, 'SIGKILL');
  },
  'all workers killed': (_scene, { workerPids }) => {
    for (const pid of workerPids) signal(pid, 'SIGKILL');
  },
  'worker stopped': (_scene, { workerPid }) => {
    signal(workerPid, 'SIGSTOP');
  },
  'primary killed': (_scene, { run }) => {
    run.process.kill('SIGKILL');
  },
  'primary interrupted': (_scene, { run }) => {
    run.process.kill('SIGINT');
  },
  'primary terminated twice': (_scene, { run }) => {
    run.process.kill('SIGTERM');
    run.process.kill('SIGTERM');
  },
  'PostgreSQL restarted, fast': ({ postgres }) => postgres.restart('fast'),
  'PostgreSQL restarted, immediate': ({ postgres }) => postgres.restart('immediate'),
  'MongoDB restarted, fast': ({ mongo }) => mongo.restart('fast'),
  'MongoDB killed and started': ({ mongo }) => mongo.restart('kill'),
  'connections to PostgreSQL cut': ({ postgresProxy }) => {
    postgresProxy.cut();
  },
  'connections to MongoDB cut': ({ mongoProxy }) => {
    mongoProxy.cut();
  },
} as const satisfies Record<string, (scene: Scene, victim: Victim) => Promise<void> | void>;

export type FaultKind = keyof typeof faults;

export const faultKinds = Object.keys(faults) as FaultKind[];

/** Which of them need to know the workers. */
export function isAboutWorkers(kind: FaultKind): boolean {
  return kind === 'worker killed' || kind === 'all workers killed' || kind === 'worker stopped';
}

export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It is gone already.
  }
}
