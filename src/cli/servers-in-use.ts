/** The servers that a command works with: the user's own, or embedded ones that run for as long as the command. */

import type { Config } from '../config/config.ts';
import { SecretUrl } from '../config/secret-url.ts';
import { embedded } from '../config/server-urls.ts';
import type { CommandOptions } from './commands/command-options.ts';
import { trialServers, type EmbeddedServer, type EmbeddedServerOptions } from './trial-servers.ts';

export type Urls = Pick<Config, 'mongoUrl' | 'postgresUrl'>;

/** Runs `use` with the URLs of running servers. Embedded ones are stopped afterwards, also after an error. */
export async function withServers<T>(
  { mongoUrl, postgresUrl, dataDir }: Urls & Pick<Config, 'dataDir'>,
  { progress, signal }: Pick<CommandOptions, 'progress' | 'signal'>,
  use: (urls: Urls) => Promise<T>,
): Promise<T> {
  const servers: EmbeddedServer[] = [];
  const start = async (kind: 'Mongo' | 'Postgres', name: string): Promise<SecretUrl> => {
    signal.throwIfAborted();
    progress.say(`starting the embedded ${name} in ${dataDir}`);
    const options: EmbeddedServerOptions = { dataDir, role: 'run', onNotice: progress.say };
    // Not loaded if both servers are the user's own.
    const { startEmbeddedMongo, startEmbeddedPostgres } = await trialServers.servers();
    const server = await (kind === 'Mongo' ? startEmbeddedMongo(options) : startEmbeddedPostgres(options));
    servers.push(server);
    return new SecretUrl(server.url);
  };
  // Checked before anything is started or a folder is created.
  if (postgresUrl.is(embedded)) await (await trialServers.postgresBinaries()).findPackage();
  try {
    return await use({
      mongoUrl: mongoUrl.is(embedded) ? await start('Mongo', 'MongoDB (for trying out)') : mongoUrl,
      postgresUrl: postgresUrl.is(embedded) ? await start('Postgres', 'PostgreSQL') : postgresUrl,
    });
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
}
