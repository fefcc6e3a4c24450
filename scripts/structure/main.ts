/** Prints the structure of `src` in numbers, or (`--check`) fails where it breaks the rules. */

import { dirname } from 'node:path/posix';
import { parseArgs } from 'node:util';
import { countFloors, groupBy } from './graph.ts';
import { readImports } from './imports.ts';
import { entryOf, findArrowsUp, findCircles, findCrowdedFolders, findMutualFolders } from './rules.ts';

const { values, positionals } = parseArgs({
  options: { check: { type: 'boolean' }, list: { type: 'boolean' } },
  allowPositionals: true,
});
const graph = readImports(positionals[0] ?? 'src');
const folders = groupBy(graph, dirname);
const broken = {
  'arrows that run up': findArrowsUp(graph),
  'circles of files': findCircles(graph).map((files) => files.join(', ')),
  'pairs of folders that import each other': findMutualFolders(graph).map((pair) => pair.join(' ⇄ ')),
  'folders of more than 25 files': findCrowdedFolders(graph).map(([name, count]) => `${name}: ${count}`),
};

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
  if (values.check === true || values.list === true) for (const each of found) console.log(`  ${each}`);
}
if (values.check === true && Object.values(broken).some((found) => found.length > 0)) {
  console.error('src breaks the rules of its structure: see scripts/structure/rules.ts');
  process.exitCode = 1;
}

function print(what: string, count: number): void {
  console.log(`${what.padEnd(42)}${String(count).padStart(6)}`);
}
