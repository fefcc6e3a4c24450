/** The data directory of the embedded Postgres: where it is, and how it is created. */
import {
  chown,
  lstat,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  readlink,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { TargetError } from '../../../../src/common/errors.ts';
import { unlessCode } from '../../../../src/common/fs-errors.ts';
import { canEnter, runProgram } from './account.ts';
import type { Account } from './account.ts';
import type { Binaries } from './binaries.ts';
import { stopOrphan } from './postmaster.ts';
import { isSharedCluster, openSharedPlace, sharedDataDir } from './shared-place.ts';

/**
 * Where the data is or is to be: `home/cluster`, or, when the account cannot enter `home`, a directory of the
 * shared place that `home/cluster` then links to. Removing `home` thus always means starting from scratch.
 */
export async function locateCluster(
  home: string,
  account: Account | undefined,
  onNotice: (message: string) => void,
): Promise<string> {
  const wanted = join(home, 'cluster');
  if (account === undefined) return wanted;
  const existing = await unlessCode(lstat(wanted), 'ENOENT');
  if (existing?.isSymbolicLink() === true) {
    const linked = await readlink(wanted);
    if (await isSharedCluster(linked, home)) {
      await mkdir(dirname(linked), { recursive: true, mode: 0o755 });
      onNotice(`Postgres's data is kept in ${linked}`);
      return linked;
    }
  }
  if (await canEnter(home, account)) return wanted;
  if (existing?.isDirectory() === true) {
    throw new TargetError(
      `the owner of the data in ${wanted} (uid ${account.uid}) cannot enter that directory`,
      {
        code: 'EMBEDDED_DATA_UNREACHABLE',
        fix: 'Let that user pass through every directory above it, or give DATA_DIR another folder.',
      },
    );
  }

  const directory = sharedDataDir(await openSharedPlace(account), home);
  const cluster = join(directory, 'cluster');
  // There is no link to it any more: the data was discarded with it.
  await stopOrphan(cluster);
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true, mode: 0o755 });
  await rm(wanted, { force: true });
  await symlink(cluster, wanted);
  onNotice(`Postgres runs as uid ${account.uid}, who cannot enter ${home}; its data is kept in ${cluster}`);
  return cluster;
}

/** Whether there is a data directory; throws TargetError when this Postgres cannot use what is there. */
export async function inspectCluster(clusterDir: string, { majorVersion }: Binaries): Promise<boolean> {
  const version = await unlessCode(readFile(join(clusterDir, 'PG_VERSION'), 'utf8'), 'ENOENT');
  if (version === undefined) {
    await refuseForeign(clusterDir);
    return false;
  }
  if (Number.parseInt(version, 10) === majorVersion) return true;
  throw new TargetError(
    `the data in ${clusterDir} was made by Postgres ${version.trim()}, and this is Postgres ${majorVersion}`,
    {
      code: 'EMBEDDED_DATA_VERSION',
      fix: 'Give DATA_DIR another folder, or remove that one if its data is not needed.',
    },
  );
}

/**
 * Creates the data directory under another name and renames it when complete, so that one under its own name never
 * stems from an initdb that was killed.
 */
export async function createCluster(
  clusterDir: string,
  { initdb }: Binaries,
  password: string,
  account: Account | undefined,
): Promise<void> {
  await removeLeftovers(dirname(clusterDir));
  const temporary = await mkdtemp(join(dirname(clusterDir), leftoverPrefix));
  const passwordFile = join(temporary, 'password');
  await writeFile(passwordFile, password, { mode: 0o600 });
  if (account !== undefined) {
    await chown(passwordFile, account.uid, account.gid);
    await chown(temporary, account.uid, account.gid);
  }
  try {
    const { isOk, output } = await runProgram(
      initdb,
      [
        `--pgdata=${join(temporary, 'cluster')}`,
        '--username=postgres',
        `--pwfile=${passwordFile}`,
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        // Text sorts by code point, alike on every machine whatever locales it has, and as fast as memcmp;
        // unlike with plain C, lower() and upper() know letters beyond ASCII.
        '--no-locale',
        '--locale-provider=builtin',
        '--builtin-locale=C.UTF-8',
      ],
      account,
    );
    if (!isOk) {
      throw new TargetError(`initdb could not make ${clusterDir}: ${output}`, {
        code: 'EMBEDDED_INITDB_FAILED',
        fix: 'Fix what it reports, or set POSTGRES_URL to your own server.',
      });
    }
    await rename(join(temporary, 'cluster'), clusterDir);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/** Gives the superuser a new password, without a server and so without the old one. */
export async function resetPassword(
  clusterDir: string,
  { postgres }: Binaries,
  password: string,
  account: Account | undefined,
): Promise<void> {
  const args = ['--single', '-D', clusterDir, 'postgres'];
  const { isOk, output } = await runProgram(
    postgres,
    args,
    account,
    `ALTER ROLE postgres PASSWORD '${password}'\n`,
  );
  if (!isOk || output.includes('ERROR:')) {
    throw new TargetError(`the lost password of the data in ${clusterDir} could not be replaced: ${output}`, {
      code: 'EMBEDDED_PASSWORD_LOST',
      fix: 'Give DATA_DIR another folder.',
    });
  }
}

const leftoverPrefix = 'init-';

/** Removes files of a killed host; its initdb may even be running, and fails without its files. */
async function removeLeftovers(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (!name.startsWith(leftoverPrefix)) continue;
    // An initdb that is still writing can make a directory non-empty again, for the second that it takes at most.
    await rm(join(directory, name), { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}

async function refuseForeign(clusterDir: string): Promise<void> {
  const entries = (await unlessCode(readdir(clusterDir), 'ENOENT')) ?? [];
  if (entries.length === 0) return;
  throw new TargetError(`${clusterDir} is not a data directory of Postgres: it has no PG_VERSION`, {
    code: 'EMBEDDED_DATA_FOREIGN',
    fix: 'Remove it, or give DATA_DIR another folder.',
  });
}
