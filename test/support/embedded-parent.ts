/**
 * A command that starts the embedded Postgres, for tests that kill it: prints `{"host":…,"port":…}` once it runs,
 * or `{"error":…,"fix":…}`, and stops it when its stdin ends. Arguments: the data folder and the role.
 */
import { once } from 'node:events';
import { MigrationError } from '../../src/common/errors.ts';
import { startEmbeddedPostgres } from '../../packages/trial-servers/src/servers.ts';

const [dataDir = '', role] = process.argv.slice(2);
const notices: string[] = [];
try {
  const server = await startEmbeddedPostgres({
    dataDir,
    role: role === 'held' ? 'held' : 'run',
    onNotice: (message) => notices.push(message),
  });
  process.stdout.write(
    `${JSON.stringify({ host: server.pid, port: server.port, url: server.url, notices })}\n`,
  );
  await once(process.stdin.resume(), 'end');
  await server.stop();
} catch (error) {
  const fix = error instanceof MigrationError ? error.fix : '';
  process.stdout.write(`${JSON.stringify({ error: String(error), fix })}\n`);
  process.exitCode = 1;
}
