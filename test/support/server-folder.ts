/**
 * A folder for the data of embedded servers. As root, Postgres runs as another user, who needs access: otherwise its data
 * would lie in a place that root's clones share, where removing this folder leaves it.
 */

import { chmod, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export async function makeServerFolder(mode = 0o755): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'mongo2pg-test-'));
  await chmod(folder, mode);
  return folder;
}
