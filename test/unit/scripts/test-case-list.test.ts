import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
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
