/** Which test files share a process. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

/** The folders of the tests of the tool, and of the trial servers. */
export const testFolders = ['test', join('packages', 'trial-servers', 'test')];
/**
 * Each list is for one process, as the start of one takes longer than most of these tests. What encodes random documents is optimized
 * for what it has encoded before: after other tests it takes twice as long, which is 10 s of a core.
 */
const unitFolders = [
  [join('dist', 'test', 'unit', 'transcode', 'core', '/')],
  [join('dist', 'test', 'unit', 'transcode', '/')],
  testFolders.map((folder) => join('dist', folder, 'unit', '/')),
];
/** A process that has loaded and compiled for one of these files what it needs takes most of a second less of a core for each other. */
const warmFolders = testFolders.flatMap((folder) =>
  ['integration', 'fault'].map((kind) => join('dist', folder, kind, '/')),
);
/** More would gain little, and the tests after a file that ends its process are not run. */
const maxWarmFiles = 12;

/** @param atOnce how many processes run at the same time, each of which gets several if there are many files */
export function assignToProcesses(files: readonly string[], atOnce: number): string[][] {
  const unitFolderOf = (file: string) => unitFolders.find((folders) => isWithin(folders, file));
  const units = unitFolders.map((folders) => files.filter((file) => unitFolderOf(file) === folders));
  const warm = files.filter((file) => isWithin(warmFolders, file));
  const others = files.filter((file) => unitFolderOf(file) === undefined && !warm.includes(file));
  const groups: string[][] = [];
  for (let from = 0; from < warm.length; from += groups.at(-1)?.length ?? 0) {
    // Ever fewer, so that cores have something to do until the end.
    const size = Math.min(maxWarmFiles, Math.ceil((warm.length - from) / (2 * atOnce)));
    groups.push(warm.slice(from, from + size));
  }
  return [...units, ...groups, ...others.map((file) => [file])].filter((group) => group.length > 0);
}

/**
 * Writes a module for each process of several files, which imports them one after the other; a file alone needs none. Node's runner
 * sorts what it is given by path: those with several files, which take longest, come first by their absolute paths, or cores would
 * have nothing to do at the end.
 * @returns what to give to Node's runner
 */
export function writeEntries(folder: string, processes: readonly (readonly string[])[]): string[] {
  mkdirSync(folder, { recursive: true });
  return processes.flatMap((files, index) => {
    if (files.length <= 1) return files;
    const [first = '', last = ''] = [files[0], files.at(-1)];
    // Node names it when the process ends too soon.
    const name = `${String(index + 1).padStart(2, '0')}-${nameOf(first)}-to-${nameOf(last)}.mjs`;
    const entry = join(folder, name);
    const urls = files.map((file) => pathToFileURL(resolve(file)).href);
    writeFileSync(entry, urls.map((url) => `import ${JSON.stringify(url)};\n`).join(''));
    return [entry];
  });
}

function nameOf(file: string): string {
  return basename(file, '.test.js');
}

function isWithin(folders: readonly string[], file: string): boolean {
  return folders.some((folder) => file.startsWith(folder));
}
