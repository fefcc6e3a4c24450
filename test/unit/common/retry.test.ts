import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { pauseMs, retry, type RetryOptions } from '../../../src/common/retry.ts';

/** Fails so many times, each time with a numbered error. */
function failing(times: number): { work: () => Promise<string>; calls: () => number } {
  let calls = 0;
  return {
    calls: () => calls,
    work: () => {
      calls++;
      return calls <= times ? Promise.reject(new Error(`failure ${calls}`)) : Promise.resolve('done');
    },
  };
}

const retryOptions: RetryOptions = { limitMs: 60_000, isTransient: () => true };

describe('retry', () => {
  it('returns the result, and reports no retry if there is none', async () => {
    const reported: unknown[] = [];
    const { work, calls } = failing(0);
    assert.equal(await retry(work, { ...retryOptions, onRetry: (error) => reported.push(error) }), 'done');
    assert.equal(calls(), 1);
    assert.deepEqual(reported, []);
  });

  it('retries transient errors, and reports each failure', async () => {
    const reported: [string, number][] = [];
    const { work } = failing(2);
    const onRetry = (error: unknown, attempt: number): void => {
      reported.push([error instanceof Error ? error.message : '', attempt]);
    };
    assert.equal(await retry(work, { ...retryOptions, onRetry }), 'done');
    assert.deepEqual(reported, [
      ['failure 1', 1],
      ['failure 2', 2],
    ]);
  });

  it('throws a permanent error immediately, also after transient ones', async () => {
    const { work, calls } = failing(5);
    const isTransient = (error: unknown): boolean => error instanceof Error && error.message !== 'failure 2';
    await assert.rejects(retry(work, { ...retryOptions, isTransient }), { message: 'failure 2' });
    assert.equal(calls(), 2);
  });

  it('does not retry if the limit is 0', async () => {
    const { work, calls } = failing(5);
    await assert.rejects(retry(work, { ...retryOptions, limitMs: 0 }), { message: 'failure 1' });
    assert.equal(calls(), 1);
  });

  it('throws the last error once the limit has passed since the first failure', async () => {
    const { work, calls } = failing(Infinity);
    const startedMs = performance.now();
    await assert.rejects(retry(work, { ...retryOptions, limitMs: 100 }), (error: Error) => {
      assert.equal(error.message, `failure ${calls()}`);
      return true;
    });
    assert.ok(performance.now() - startedMs >= 100);
    assert.ok(calls() > 1);
  });

  it('counts from the first failure, not from the start of the work', async () => {
    let calls = 0;
    const work = async (): Promise<string> => {
      calls++;
      // Longer than the limit.
      if (calls === 1) await retry(failing(Infinity).work, { ...retryOptions, limitMs: 100 });
      return 'done';
    };
    assert.equal(await retry(work, { ...retryOptions, limitMs: 90 }), 'done');
    assert.equal(calls, 2);
  });

  it('ends its pause with the reason of the signal', async () => {
    const stop = new AbortController();
    const reason = new Error('enough');
    const { work, calls } = failing(Infinity);
    const onRetry = (_error: unknown, attempt: number): void => {
      if (attempt === 2) stop.abort(reason);
    };
    await assert.rejects(retry(work, { ...retryOptions, signal: stop.signal, onRetry }), reason);
    assert.equal(calls(), 2);
  });
});

describe('the pause before another attempt', () => {
  it('doubles from 50 ms to 2 s, and stays there', () => {
    const pauses = [1, 2, 3, 6, 7, 8, 100, 5_000].map((attempt) => pauseMs(attempt, 1));
    assert.deepEqual(pauses, [50, 100, 200, 1_600, 2_000, 2_000, 2_000, 2_000]);
  });

  it('is up to a quarter shorter by chance', () => {
    assert.equal(pauseMs(1, 0), 37.5);
    assert.equal(pauseMs(7, 0), 1_500);
  });
});
