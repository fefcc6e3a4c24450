/** The servers to try the tool out with: a package of the checkout, which the published package does not have. */

import { UsageError } from '../common/errors.ts';

export type { EmbeddedServer, EmbeddedServerOptions } from '../../packages/trial-servers/src/servers.ts';

/** Each part is loaded only when it is asked for. @throws UsageError where the package is not there */
export const trialServers = {
  servers: async () => await load(import('../../packages/trial-servers/src/servers.ts')),
  serve: async () => await load(import('../../packages/trial-servers/src/serve.ts')),
  users: async () => await load(import('../../packages/trial-servers/src/users.ts')),
  postgresBinaries: async () => await load(import('../../packages/trial-servers/src/postgres/binaries.ts')),
};

async function load<T>(module: Promise<T>): Promise<T> {
  try {
    return await module;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new UsageError('the installed package has no trial servers, and no users to fill them with', {
      code: 'TRIAL_SERVERS_MISSING',
      fix: 'set MONGO_URL and POSTGRES_URL; or try the tool out in a checkout of its repository.',
      cause: error,
    });
  }
}
