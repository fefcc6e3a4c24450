/** Lists of tests, and their differences. */

import { RenamedCases, type CaseRenames } from './case-renames.ts';
import type { TestCase } from './case-reporter.ts';

/** Sorted by file and name, each file once. */
export function listCases(cases: readonly TestCase[]): string[] {
  const lines: string[] = [];
  let last = '';
  for (const { file, name, outcome } of [...cases].sort(byPlace)) {
    if (file !== last) lines.push(file);
    last = file;
    lines.push(`  ${name}${outcome === 'passed' ? '' : ` (${outcome})`}`);
  }
  return lines;
}

/** The files with the sum of the times of their tests, the longest first. */
export function listSlowest(cases: readonly TestCase[]): string[] {
  const times = new Map<string, number>();
  for (const { file, ms } of cases) times.set(file, (times.get(file) ?? 0) + ms);
  return [...times]
    .sort(([, one], [, other]) => other - one)
    .map(([file, ms]) => `${(ms / 1000).toFixed(1).padStart(7)} s  ${file}`);
}

/**
 * Tests that ran before and are missing, skipped or failed now; and new ones. Those that `renames` has as removed are listed with
 * the reason, and count as missing only without one.
 */
export function compareCases(
  before: readonly TestCase[],
  after: readonly TestCase[],
  renames: CaseRenames = { files: {}, names: {}, removed: {} },
): { lines: string[]; isLess: boolean } {
  const renamed = new RenamedCases(renames);
  const left = new Map<string, TestCase[]>();
  for (const test of after) left.set(keyOf(test), [...(left.get(keyOf(test)) ?? []), test]);
  const lost: string[] = [];
  const removed: string[] = [];
  for (const test of [...before].sort(byPlace)) {
    const reason = renamed.reasonOf(test.name);
    if (reason !== undefined) {
      removed.push(`removed: ${test.file}: ${test.name}: ${reason}`);
      continue;
    }
    const place = renamed.placesOf(test).find((one) => left.get(keyOf(one))?.length);
    const now = place && left.get(keyOf(place))?.shift();
    if (now !== undefined) renamed.use(test, now.file);
    const what = now === undefined ? 'missing' : now.outcome;
    if (what !== test.outcome && what !== 'passed') lost.push(`${what}: ${test.file}: ${test.name}`);
  }
  const added = [...left.values()].flat().sort(byPlace);
  const unused = renamed.listUnused();
  return {
    lines: [
      ...lost,
      ...unused.map((entry) => `matches no test: ${entry}`),
      ...removed,
      ...added.map(({ file, name }) => `new: ${file}: ${name}`),
      `${before.length} tests before, ${after.length} after: ${lost.length} are missing, skipped or failed now, ${removed.length} are removed for a reason, and ${added.length} are new`,
    ],
    isLess: lost.length + unused.length > 0,
  };
}

function keyOf({ file, name }: Pick<TestCase, 'file' | 'name'>): string {
  return `${file}\n${name}`;
}

function byPlace(one: TestCase, other: TestCase): number {
  const [a, b] = [keyOf(one), keyOf(other)];
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
