import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { describe, it } from 'node:test';
import { readRenames, type CaseRenames } from '../../../scripts/case-renames.ts';
import type { TestCase } from '../../../scripts/case-reporter.ts';
import { compareCases, listCases, listSlowest } from '../../../scripts/test-case-list.ts';

function caseOf(file: string, name: string, outcome: TestCase['outcome'] = 'passed', ms = 1): TestCase {
  return { file, name, outcome, ms };
}

describe('a list of tests', () => {
  it('is sorted, and shows what did not pass', () => {
    const cases = [caseOf('b', 'y'), caseOf('a', 'z', 'skipped'), caseOf('b', 'x')];
    assert.deepEqual(listCases(cases), ['a', '  z (skipped)', 'b', '  x', '  y']);
  });

  it('begins with the slowest file, if requested', () => {
    const cases = [
      caseOf('a', 'x', 'passed', 1_000),
      caseOf('b', 'x', 'passed', 900),
      caseOf('b', 'y', 'passed', 800),
    ];
    assert.deepEqual(listSlowest(cases), ['    1.7 s  b', '    1.0 s  a']);
  });

  for (const [what, after, reported] of [
    ['missing', [caseOf('a', 'y')], 'missing: a: x'],
    ['in another file', [caseOf('b', 'x'), caseOf('a', 'y')], 'missing: a: x'],
    ['skipped', [caseOf('a', 'x', 'skipped'), caseOf('a', 'y')], 'skipped: a: x'],
    ['failed', [caseOf('a', 'x', 'failed'), caseOf('a', 'y')], 'failed: a: x'],
  ] as const) {
    it(`is less than another when one of it is ${what}`, () => {
      const { lines, isLess } = compareCases([caseOf('a', 'y'), caseOf('a', 'x')], after);
      assert.equal(isLess, true);
      assert.equal(lines[0], reported);
    });
  }

  it('is less than one that has a name twice', () => {
    const one = [caseOf('a', 'x')];
    assert.equal(compareCases([...one, ...one], one).isLess, true);
    assert.equal(compareCases(one, [...one, ...one]).isLess, false);
  });

  it('is not less than one in which more was skipped', () => {
    const { lines, isLess } = compareCases(
      [caseOf('a', 'x', 'skipped')],
      [caseOf('a', 'x'), caseOf('a', 'y')],
    );
    assert.equal(isLess, false);
    assert.equal(lines[0], 'new: a: y');
  });
});

describe('a list of tests of an older commit', () => {
  function compare(before: readonly TestCase[], after: readonly TestCase[], renames: Partial<CaseRenames>) {
    return compareCases(before, after, { files: {}, names: {}, removed: {}, ...renames });
  }

  for (const [what, renames, before, after] of [
    ['the file of a test', { files: { a: ['b'] } }, [caseOf('a', 'x')], [caseOf('b', 'x')]],
    [
      'a file that became two',
      { files: { a: ['b', 'c'] } },
      [caseOf('a', 'x'), caseOf('a', 'y')],
      [caseOf('c', 'x'), caseOf('b', 'y')],
    ],
    ['the name of a test', { names: { x: 'y' } }, [caseOf('a', 'x')], [caseOf('a', 'y')]],
    ['the name of a suite', { names: { x: 'y' } }, [caseOf('a', 'x > z')], [caseOf('a', 'y > z')]],
    [
      'the name of a suite and of tests in it',
      { names: { x: 'y', z: 'w', 'x > z > 1': 'v > 2' } },
      [caseOf('a', 'x > z'), caseOf('a', 'x > z > 1')],
      [caseOf('a', 'y > w'), caseOf('a', 'v > 2')],
    ],
  ] as const) {
    it(`is compared by ${what}`, () => {
      const { lines, isLess } = compare(before, after, renames);
      assert.deepEqual({ count: lines.length, isLess }, { count: 1, isLess: false }, lines.join('\n'));
    });
  }

  for (const [what, renames, after, reported] of [
    ['a new name that no test has', { names: { x: 'y' } }, [caseOf('a', 'x')], 'missing: a: x'],
    ['two tests with one new name', { names: { x: 'y', z: 'y' } }, [caseOf('a', 'y')], 'missing: a: z'],
    [
      'a file to which no test moved',
      { files: { a: ['a', 'b'] } },
      [caseOf('a', 'x'), caseOf('a', 'z')],
      'matches no test: files: a → b',
    ],
    [
      'a name that no test had',
      { names: { y: 'x' } },
      [caseOf('a', 'x'), caseOf('a', 'z')],
      'matches no test: names: y',
    ],
    [
      'a removed test that never was',
      { removed: { y: 'a reason' } },
      [caseOf('a', 'x'), caseOf('a', 'z')],
      'matches no test: removed: y',
    ],
  ] as const) {
    it(`is less with ${what}`, () => {
      const { lines, isLess } = compare([caseOf('a', 'x'), caseOf('a', 'z')], after, renames);
      assert.equal(isLess, true);
      assert.ok(lines.includes(reported), lines.join('\n'));
    });
  }

  it('has tests that are removed for a reason', () => {
    const { lines, isLess } = compare([caseOf('a', 'x')], [caseOf('a', 'y')], {
      removed: { x: 'as y has it' },
    });
    assert.equal(isLess, false);
    assert.deepEqual(lines.slice(0, 2), ['removed: a: x: as y has it', 'new: a: y']);
  });
});

describe('test/data/case-renames.json', () => {
  const { files, names, removed } = readRenames('test/data/case-renames.json');

  it('names files that exist', () => {
    assert.deepEqual(
      Object.values(files)
        .flat()
        .filter((file) => !existsSync(file)),
      [],
    );
  });

  it('has each test once', () => {
    assert.deepEqual(
      Object.keys(removed).filter((name) => Object.hasOwn(names, name)),
      [],
    );
  });
});
