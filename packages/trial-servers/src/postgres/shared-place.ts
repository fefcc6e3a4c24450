/**
 * A directory of root's that every user can enter, for the case that root's clone lies where the user
 * `postgres` cannot go (`/root` is closed to others on most systems).
 */
import { createHash } from 'node:crypto';
import { lstat, mkdir, realpath } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TargetError } from '../../../../src/common/errors.ts';
import { hasCode, unlessCode } from '../../../../src/common/fs-errors.ts';
import { canEnter } from './account.ts';
import type { Account } from './account.ts';

/** In order of preference: /var/lib is where servers keep data; files in /tmp may be removed at a restart. */
const parents = ['/var/lib', '/usr/local/var', '/tmp', tmpdir()] as const;

/** Opens the place, made if there is none. Only root may ever write into it, or programs could be slipped in. */
export async function openSharedPlace(account: Account): Promise<string> {
  const refusals: string[] = [];
  for (const parent of parents) {
    if ((await unlessCode(lstat(parent), 'ENOENT')) === undefined) continue;
    const place = placeIn(await realpath(parent));
    try {
      await mkdir(place, { mode: 0o755 });
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) {
        refusals.push(error instanceof Error ? error.message : String(error));
        continue;
      }
    }
    if (!(await isSafe(place))) refusals.push(`${place} is not root's alone`);
    else if (!(await canEnter(place, account))) refusals.push(`${place} is closed to uid ${account.uid}`);
    else return place;
  }
  throw new TargetError(`no directory was found that the user postgres can enter: ${refusals.join('; ')}`, {
    code: 'EMBEDDED_NO_PLACE',
    fix: 'Run as an ordinary user, or set POSTGRES_URL to your own server.',
  });
}

/** Whether the path is a real directory or file of root that no other user can write. */
export async function isSafe(path: string): Promise<boolean> {
  const stats = await lstat(path);
  return (stats.isDirectory() || stats.isFile()) && stats.uid === 0 && (stats.mode & 0o022) === 0;
}

/** The directory for the data that is wanted in `home`. */
export function sharedDataDir(place: string, home: string): string {
  // 64 bits distinguish any number of clones, and keep the path short.
  return join(place, 'data', createHash('sha256').update(home).digest('hex').slice(0, 16));
}

/** Whether the path is that of any shared place for `home`. */
export async function isSharedCluster(path: string, home: string): Promise<boolean> {
  for (const parent of parents) {
    const real = await unlessCode(realpath(parent), 'ENOENT');
    if (real === undefined) continue;
    const place = placeIn(real);
    if (path === join(sharedDataDir(place, home), 'cluster')) {
      return (await unlessCode(isSafe(place), 'ENOENT')) === true;
    }
  }
  return false;
}

function placeIn(parent: string): string {
  return join(parent, 'mongo2pg');
}
