/** Prints the structure of the sources in numbers, or (`--check`) fails where it breaks the rules. */

import { dirname } from 'node:path/posix';
import { parseArgs } from 'node:util';
import { countFloors, groupBy } from './graph.ts';
import { readImports } from './imports.ts';
import { entryOf, findArrowsUp, findCircles, findLargeFolders, findMutualFolders } from './rules.ts';

const { values, positionals } = parseArgs({
  options: { check: { type: 'boolean' }, list: { type: 'boolean' } },
  allowPositionals: true,
});
/** Only the entries of `src` have an order. */
const ordered = 'src';
const roots = positionals.length > 0 ? positionals : [ordered, 'packages/trial-servers/src'];

if (roots.filter((root) => !show(root)).length > 0 && values.check === true) {
  console.error('the sources break the rules of their structure: see scripts/structure/rules.ts');
  process.exitCode = 1;
}

/** @returns whether it keeps the rules */
function show(root: string): boolean {
  const graph = readImports(root);
  const folders = groupBy(graph, dirname);
  const broken = {
    ...(root === ordered ? { 'arrows that run up': findArrowsUp(graph) } : {}),
    'circles of files': findCircles(graph).map((files) => files.join(', ')),
    'pairs of folders that import each other': findMutualFolders(graph).map((pair) => pair.join(' ⇄ ')),
    'folders of more than 25 files': findLargeFolders(graph).map(([name, count]) => `${name}: ${count}`),
  };

  console.log(root);
  print('files', graph.size);
  print('entries at the top', new Set([...graph.keys()].map(entryOf)).size);
  print('folders', folders.size);
  print(
    'imports',
    [...graph.values()].reduce((sum, imported) => sum + imported.length, 0),
  );
  print('floors of folders', countFloors(folders));
  print('floors of files', countFloors(graph));
  for (const [what, found] of Object.entries(broken)) {
    print(what, found.length);
    if (values.check === true || values.list === true) for (const each of found) console.log(`    ${each}`);
  }
  return Object.values(broken).every((found) => found.length === 0);
}

function print(what: string, count: number): void {
  console.log(`  ${what.padEnd(42)}${String(count).padStart(6)}`);
}
