/** A PostgreSQL of the system's own packages, of the version in the matrix. */

import { accessSync } from 'node:fs';
import { chown, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { resolveAccount, runProgram } from '../../packages/trial-servers/src/postgres/account.ts';
import { startPostmaster } from '../../packages/trial-servers/src/postgres/postmaster.ts';
import { findFreePort } from '../../packages/trial-servers/src/port.ts';
import { startInFolder, type RunningServer } from './child-server.ts';

const programOf = (version: number, name: string): string => `/usr/lib/postgresql/${version}/bin/${name}`;

/** For `skip`: false when it is installed. */
export function lacksDebianPostgres(version: number): string | false {
  try {
    for (const name of ['initdb', 'postgres']) accessSync(programOf(version, name));
    return false;
  } catch {
    return `there is no PostgreSQL ${version}: on Debian the package postgresql-${version} has it`;
  }
}

/** With its own data, which is removed with it. */
export function startDebianPostgres(version: number): Promise<RunningServer> {
  return startInFolder('mongo2pg-postgres-', async (folder) => {
    const clusterDir = join(folder, 'cluster');
    const account = await resolveAccount(clusterDir);
    await mkdir(clusterDir, { mode: 0o700 });
    if (account !== undefined) {
      for (const path of [folder, clusterDir]) await chown(path, account.uid, account.gid);
    }
    const { isOk, output } = await runProgram(
      programOf(version, 'initdb'),
      [
        `--pgdata=${clusterDir}`,
        '--username=postgres',
        '--auth=trust',
        '--encoding=UTF8',
        '--locale=C.UTF-8',
      ],
      account,
    );
    if (!isOk) throw new Error(`initdb of PostgreSQL ${version}: ${output}`);
    const port = await findFreePort();
    const postmaster = await startPostmaster({
      postgres: programOf(version, 'postgres'),
      clusterDir,
      port,
      account,
      logFile: join(folder, 'postgres.log'),
      signal: new AbortController().signal,
    });
    return {
      url: `postgres://postgres@127.0.0.1:${port}/postgres`,
      stop: async () => {
        await postmaster.stop();
      },
    };
  });
}
