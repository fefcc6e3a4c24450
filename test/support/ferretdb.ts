/** FerretDB 1 on SQLite, an independent server: built by `scripts/servers/build-ferretdb.sh` into a cache folder. */

import { accessSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { startChildServer, startInFolder, type RunningServer } from './child-server.ts';

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

/** With its own data, which is removed with it. @param flags further ones, such as those for users */
export function startFerretDb(...flags: readonly string[]): Promise<RunningServer> {
  return startInFolder('mongo2pg-ferretdb-', async (folder) => {
    const place = [`--sqlite-url=file:${folder}/`, `--state-dir=${folder}`];
    const network = ['--listen-addr=127.0.0.1:0', '--debug-addr=-', '--telemetry=disable'];
    const server = await startChildServer(
      program,
      ['--handler=sqlite', ...place, ...network, ...flags],
      /Listening on TCP ([\d.:]+)\.\.\./,
    );
    return { url: `mongodb://${server.found}/`, stop: () => server.stop() };
  });
}
