/**
 * A data folder of the embedded PostgreSQL, made once for all tests that need a server of their own: initdb takes more
 * processor time than most of what is done with the server.
 */

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { readPgpass, writePgpass } from '../../packages/trial-servers/src/postgres/pgpass.ts';
import { startEmbeddedPostgres } from '../../packages/trial-servers/src/servers.ts';

/** The folder of the template, if there is one. */
export const postgresTemplateVariable = 'TEST_POSTGRES_TEMPLATE';

/**
 * As the first start in this folder and a stop leave it, without a port: of two copies each takes one of its own.
 * @returns the folder
 */
export async function makePostgresTemplate(dataDir: string): Promise<string> {
  const server = await startEmbeddedPostgres({ dataDir, role: 'run' });
  await server.stop();
  const { password = '' } = (await readPgpass(server.dataDir)) ?? {};
  await writePgpass(server.dataDir, { port: 0, password });
  return dataDir;
}

/** The next start in the empty folder is not its first one any more. Without a template it is. */
export async function copyPostgresTemplate(dataDir: string): Promise<void> {
  const template = process.env[postgresTemplateVariable];
  if (template === undefined) return;
  // With the owners of the files, which are not root.
  await promisify(execFile)('cp', ['-a', join(template, 'postgres'), dataDir]);
}
