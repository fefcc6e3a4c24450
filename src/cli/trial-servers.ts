/** The trial servers: a package of the checkout that the published package does not contain. */

import { UsageError } from '../common/errors.ts';

export type { EmbeddedServer, EmbeddedServerOptions } from '../../packages/trial-servers/src/servers.ts';

/** Each part is loaded only when it is used. @throws UsageError if the package is missing */
export const trialServers = {
  servers: async () => await load(import('../../packages/trial-servers/src/servers.ts')),
  serve: async () => await load(import('../../packages/trial-servers/src/serve.ts')),
  users: async () => await load(import('../../packages/trial-servers/src/users.ts')),
  samples: async () => await load(import('../../packages/trial-servers/src/samples/samples.ts')),
  postgresBinaries: async () => await load(import('../../packages/trial-servers/src/postgres/binaries.ts')),
};

async function load<T>(module: Promise<T>): Promise<T> {
  try {
    return await module;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new UsageError('the installed package has no trial servers and no sample data', {
      code: 'TRIAL_SERVERS_MISSING',
      fix: 'set MONGO_URL and POSTGRES_URL; or use a checkout of the repository.',
      cause: error,
    });
  }
}
