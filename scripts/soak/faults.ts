/** The faults of a soak, and how they are caused. */

import type { RunningCli } from '../../test/support/cli.ts';
import type { PostgresStopMode, PrivateServer } from '../../test/support/private-servers.ts';
import type { Proxy } from '../../test/support/tcp-proxy.ts';
import type { SoakMongo } from './mongo.ts';

export interface Scene {
  readonly postgres: PrivateServer<PostgresStopMode>;
  readonly postgresProxy: Proxy;
  readonly mongo: SoakMongo;
}

export interface Victim {
  readonly run: RunningCli;
  /** The workers that were started first; some may have ended. */
  readonly workerPids: readonly number[];
  /** Chosen at random. */
  readonly workerPid: number;
}

export type Fault = (victim: Victim) => Promise<void> | void;

const aboutWorkers: Readonly<Record<string, Fault>> = {
  'worker killed': ({ workerPid }) => {
    signal(workerPid, 'SIGKILL');
  },
  'all workers killed': ({ workerPids }) => {
    for (const pid of workerPids) signal(pid, 'SIGKILL');
  },
  'worker stopped': ({ workerPid }) => {
    signal(workerPid, 'SIGSTOP');
  },
};

/** By name. */
export function listFaults({ postgres, postgresProxy, mongo }: Scene): Readonly<Record<string, Fault>> {
  return {
    ...aboutWorkers,
    'primary killed': ({ run }) => {
      run.process.kill('SIGKILL');
    },
    'primary interrupted': ({ run }) => {
      run.process.kill('SIGINT');
    },
    'primary terminated twice': ({ run }) => {
      run.process.kill('SIGTERM');
      run.process.kill('SIGTERM');
    },
    'PostgreSQL restarted, fast': () => postgres.restart('fast'),
    'PostgreSQL restarted, immediate': () => postgres.restart('immediate'),
    'connections to PostgreSQL cut': () => {
      postgresProxy.cut();
    },
    ...mongo.faults,
  };
}

/** Which of them need to know the workers. */
export function isAboutWorkers(kind: string): boolean {
  return kind in aboutWorkers;
}

export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended already.
  }
}
