import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TimeSeries } from '../../../../src/observe/report/time-series.ts';
import fc from '../../../support/fast-check.ts';

describe('TimeSeries', () => {
  it('spreads an amount over the intervals of its span, by the time in each', () => {
    const series = new TimeSeries(1000, 10, 100);
    series.add('documents', 1050, 1250, 400);
    assert.deepEqual(series.read('documents'), [100, 200, 100]);
  });

  it('keeps the highest level of an interval, and continues with it without new values', () => {
    const series = new TimeSeries(0, 10, 100);
    series.raise('memory', 110, 5);
    series.raise('memory', 190, 3);
    series.extend(350);
    assert.deepEqual(series.read('memory'), [0, 5, 5, 5]);
    series.raise('memory', 390, 1);
    assert.deepEqual(series.read('memory'), [0, 5, 5, 1]);
  });

  it('doubles the interval instead of growing beyond its points', () => {
    const series = new TimeSeries(0, 4, 100);
    for (const [atMs, level] of [
      [50, 1],
      [150, 7],
      [250, 2],
      [350, 3],
    ] as const) {
      series.raise('memory', atMs, level);
      series.add('documents', atMs, atMs, level);
    }
    series.extend(1650);
    assert.equal(series.intervalMs, 800);
    assert.deepEqual(series.read('memory'), [7, 7, 7]);
    assert.deepEqual(series.read('documents'), [13, 0, 0]);
  });

  it('counts values before its beginning at the beginning', () => {
    const series = new TimeSeries(1000, 10, 100);
    series.add('documents', 900, 1050, 30);
    assert.deepEqual(series.read('documents'), [30]);
  });

  it('loses nothing and never exceeds its number of points', () => {
    const spans = fc.array(fc.tuple(fc.nat(100_000), fc.nat(5_000), fc.integer({ min: 1, max: 1000 })), {
      minLength: 1,
      maxLength: 50,
    });
    fc.assert(
      fc.property(spans, fc.integer({ min: 2, max: 40 }), (given, maxPoints) => {
        const series = new TimeSeries(0, maxPoints, 50);
        for (const [fromMs, ms, amount] of given) series.add('documents', fromMs, fromMs + ms, amount);
        const values = series.read('documents');
        const total = values.reduce((sum, value) => sum + value, 0);
        const wanted = given.reduce((sum, [, , amount]) => sum + amount, 0);
        assert.ok(values.length <= maxPoints && values.every((value) => value >= 0));
        assert.ok(Math.abs(total - wanted) < 1e-6 * wanted, `${total} instead of ${wanted}`);
      }),
    );
  });
});
