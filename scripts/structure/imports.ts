/** Reads which file of a folder imports which, types too. */

import { readFileSync, readdirSync } from 'node:fs';
import { join, posix, sep } from 'node:path';
import ts from 'typescript';

/** Of each file, the files that it imports; paths from the root, with `/`. Only files below the root are in it. */
export type ImportGraph = ReadonlyMap<string, readonly string[]>;

/** @param root a folder of TypeScript sources whose imports name files with their endings */
export function readImports(root: string): ImportGraph {
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => file.replaceAll(sep, '/'))
    .sort();
  return new Map(files.map((file) => [file, importsOf(root, file).filter((name) => files.includes(name))]));
}

function importsOf(root: string, file: string): string[] {
  // Dynamic imports are among them: a file depends on what it loads late as well.
  const { importedFiles } = ts.preProcessFile(readFileSync(join(root, file), 'utf8'));
  const names = importedFiles.map(({ fileName }) => fileName).filter((name) => name.startsWith('.'));
  return [...new Set(names.map((name) => posix.join(posix.dirname(file), name)))];
}
