/** FerretDB 1 on SQLite, which nobody here wrote: built by `scripts/servers/build-ferretdb.sh` into a cache folder. */

import { accessSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { startChildServer } from './child-server.ts';

export const ferretVersion = '1.24.2';

const cacheDir = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache');
const program = join(cacheDir, 'mongo2pg', `ferretdb-v${ferretVersion}`);

/** For `skip`: false when there is one. */
export function lacksFerretDb(): string | false {
  try {
    accessSync(program);
    return false;
  } catch {
    return 'there is no FerretDB: scripts/servers/build-ferretdb.sh builds it';
  }
}

export interface RunningServer {
  readonly url: string;
  stop(): Promise<void>;
}

/** With data of its own, which goes with it. @param flags further ones, such as those for users */
export async function startFerretDb(...flags: readonly string[]): Promise<RunningServer> {
  const folder = await mkdtemp(join(tmpdir(), 'mongo2pg-ferretdb-'));
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    const place = [`--sqlite-url=file:${folder}/`, `--state-dir=${folder}`];
    const network = ['--listen-addr=127.0.0.1:0', '--debug-addr=-', '--telemetry=disable'];
    const server = await startChildServer(
      program,
      ['--handler=sqlite', ...place, ...network, ...flags],
      /Listening on TCP ([\d.:]+)\.\.\./,
    );
    return {
      url: `mongodb://${server.found}/`,
      async stop() {
        await server.stop();
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}
