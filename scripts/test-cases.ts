/**
 * Lists and compares the tests that ran, from the files of `npm test -- --cases FILE`: `npm run test:cases -- after.jsonl` lists them,
 * `-- before.jsonl after.jsonl` lists which of the first are not in the second, and `-- --slowest after.jsonl` which files
 * took the most time. With `--renames test/data/case-renames.json`, the first is of an older commit, whose tests had other names.
 */

import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { readRenames } from './case-renames.ts';
import type { TestCase } from './case-reporter.ts';
import { compareCases, listCases, listSlowest } from './test-case-list.ts';

const { values, positionals } = parseArgs({
  options: { slowest: { type: 'boolean', default: false }, renames: { type: 'string' } },
  allowPositionals: true,
});
const [first, second] = positionals.map(read);

if (first === undefined || positionals.length > 2) {
  console.error('give one report of `npm test -- --cases FILE` to list, or two to compare');
  process.exitCode = 2;
} else if (second === undefined) {
  console.log((values.slowest ? listSlowest(first) : listCases(first)).join('\n'));
} else {
  const renames = values.renames === undefined ? undefined : readRenames(values.renames);
  const { lines, isLess } = compareCases(first, second, renames);
  console.log(lines.join('\n'));
  process.exitCode = isLess ? 1 : 0;
}

function read(path: string): TestCase[] {
  const lines = readFileSync(path, 'utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as TestCase);
}
