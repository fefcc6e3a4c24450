import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DeathBudget, type DeathVerdict } from '../../../../src/workers/supervisor/death-budget.ts';

function die(budget: DeathBudget, times: number, hadStarted: boolean): DeathVerdict[] {
  return Array.from({ length: times }, () => budget.record(hadStarted));
}

function backOffs(verdicts: readonly DeathVerdict[]): (number | string)[] {
  return verdicts.map((verdict) => (verdict.isExhausted ? verdict.why : verdict.backOffMs));
}

describe('the budget of deaths', () => {
  it('tolerates four workers in a row that die before they are ready, with growing pauses, and not five', () => {
    assert.deepEqual(backOffs(die(new DeathBudget(), 5, false)), [
      0,
      50,
      100,
      200,
      '5 workers in a row died before they were ready',
    ]);
  });

  it('tolerates 29 that die without an ack, with short pauses, and not 30', () => {
    const verdicts = backOffs(die(new DeathBudget(), 30, true));
    assert.deepEqual(verdicts.slice(0, 5), [0, 50, 100, 200, 200]);
    assert.ok(verdicts.slice(5, 29).every((backOffMs) => backOffMs === 200));
    assert.equal(verdicts[29], '30 workers in a row died without finishing a batch');
  });

  it('is reset when a batch is acked', () => {
    const budget = new DeathBudget();
    for (let round = 0; round < 20; round++) {
      assert.ok(die(budget, 4, false).every(({ isExhausted }) => !isExhausted));
      budget.recover();
    }
    assert.deepEqual(backOffs(die(budget, 1, true)), [0]);
  });

  it('a worker that was ready ends the series of those that were not, and counts nevertheless', () => {
    const budget = new DeathBudget();
    const verdicts = Array.from({ length: 6 }, () => [...die(budget, 4, false), ...die(budget, 1, true)]);
    // Five in each of six rounds: 30 without an ack.
    const flat = verdicts.flat();
    assert.equal(
      flat.findIndex(({ isExhausted }) => isExhausted),
      29,
    );
  });
});
