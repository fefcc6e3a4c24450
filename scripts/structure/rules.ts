/** The order of the entries of `src`, and its violations. */

import { dirname } from 'node:path/posix';
import { findComponents, groupBy } from './graph.ts';
import type { ImportGraph } from './imports.ts';

/** From the top to the bottom: each imports only entries below it. */
const entries = [
  'index.ts',
  'cli',
  'run',
  'workers',
  'postgres',
  'observe',
  'plan',
  'transcode',
  'source',
  'config',
  'bson',
  'common',
] as const;

/** A folder with more files is hard to read. */
const maxFilesOfFolder = 25;

/** The folder or file at the top of `src` that a file belongs to. */
export function entryOf(file: string): string {
  return file.split('/')[0] ?? file;
}

/** `from → to` of each import that points up, or at an entry without a place in the order. */
export function findArrowsUp(graph: ImportGraph): string[] {
  const floorOf = (file: string): number => (entries as readonly string[]).indexOf(entryOf(file));
  return [...graph].flatMap(([file, imported]) =>
    imported
      .filter((target) => entryOf(target) !== entryOf(file))
      .filter((target) => floorOf(file) < 0 || floorOf(target) <= floorOf(file))
      .map((target) => `${file} → ${target}`),
  );
}

/** The files of each circle of imports. */
export function findCircles(graph: ImportGraph): string[][] {
  return findComponents(graph).filter((component) => component.length > 1);
}

/** Pairs of folders that import each other, a folder and one inside of it excepted. */
export function findMutualFolders(graph: ImportGraph): [string, string][] {
  const folders = groupBy(graph, dirname);
  return [...folders].flatMap(([folder, targets]) =>
    targets
      .filter((target) => target > folder && folder !== '.' && !target.startsWith(`${folder}/`))
      .filter((target) => folders.get(target)?.includes(folder) === true)
      .map((target): [string, string] => [folder, target]),
  );
}

/** Folders with too many files, and how many they have. */
export function findLargeFolders(graph: ImportGraph): [string, number][] {
  const counts = new Map<string, number>();
  for (const file of graph.keys()) counts.set(dirname(file), (counts.get(dirname(file)) ?? 0) + 1);
  return [...counts].filter(([, count]) => count > maxFilesOfFolder);
}
