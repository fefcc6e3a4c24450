import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Run } from '../../../../scripts/bench/contestant.ts';
import { describeTable } from '../../../../scripts/bench/report.ts';
import { ratio } from '../../../../scripts/bench/results.ts';

const run = (wallMs: number, cpuMs: number | null, more: Partial<Run> = {}): Run => ({
  wallMs,
  cpuMs,
  pssBytes: 100e6,
  postgresCpuMs: 500,
  mongoCpuMs: null,
  ...more,
});

/** By the heads of the columns, of which two have the same name. */
function cells(table: string, row: number): string[] {
  return (table.split('\n')[row + 2] ?? '').split(' | ').map((cell) => cell.replace(/^\| | \|$/g, ''));
}

describe('tables of the benchmark', () => {
  const base = { name: 'base', runs: [run(1_000, 400), run(4_000, 800), run(2_000, 600)] };
  const other = { name: 'other', runs: [run(3_000, 800), run(4_000, 800), run(4_000, 600)] };

  it('have ratios round by round', () => {
    assert.equal(
      ratio(other, base, ({ wallMs }) => wallMs),
      2,
    );
    assert.equal(
      ratio(other, base, ({ cpuMs }) => cpuMs),
      1,
    );
    assert.equal(
      ratio(other, base, ({ mongoCpuMs }) => mongoCpuMs),
      null,
    );
  });

  it('begin with processor time and memory', () => {
    const table = describeTable({ results: [base, other], amount: 1_000, bsonBytes: 4e6 });
    assert.deepEqual(cells(table, 1), [
      'other',
      '0.80 s',
      '1.00',
      '100 MB',
      '4.00 s',
      '3.00–4.00',
      '2.00',
      '250',
      '1',
      '0.50 s',
      '?',
      '',
    ]);
  });

  it('compare no processor time with the ceiling, which has no memory of its own', () => {
    const ceiling = { name: 'ceiling', runs: [run(1_000, 5, { ownCpuMs: 5, pssBytes: null })] };
    const table = describeTable({ results: [ceiling, other], amount: 1_000, bsonBytes: 4e6 });
    assert.deepEqual(cells(table, 0).slice(1, 4), ['0.01 s', '', '']);
    assert.deepEqual(cells(table, 1).slice(1, 4), ['0.80 s', '', '100 MB']);
  });
});
