import assert from 'node:assert/strict';
import { access } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { ExitCode, InterruptedError, MigrationError, TargetError } from '../../../src/common/errors.ts';
import { HandedOverError, handOverIf, isOfMachine, stopsAll } from '../../../src/run/failure.ts';

const { signal } = new AbortController();

function errorOf(code: string): MigrationError {
  return new MigrationError(ExitCode.internal, 'text', { code, fix: 'do this.' });
}

describe('an error of this machine', () => {
  it('is one of its workers, its files and its system', async () => {
    const missing: unknown = await access('/nowhere/at/all').catch((error: unknown) => error);
    for (const error of [errorOf('WORKERS_KEEP_DYING'), errorOf('TRANSFORM_UNREADABLE'), missing]) {
      assert.ok(isOfMachine(error), String(error));
    }
  });

  it('is none of the data, the rights, the servers, and no bug', () => {
    const others = [
      errorOf('TOO_MANY_DEAD_LETTERS'),
      errorOf('POSTGRES_RIGHTS'),
      new TargetError('away', { code: 'POSTGRES_GIVEN_UP', isServerGone: true }),
      new InterruptedError('SIGINT'),
      new TypeError('undefined is no function'),
    ];
    for (const error of others) assert.ok(!isOfMachine(error), error.message);
  });

  it('stops the other collections only if another host is to lead', async () => {
    const error = errorOf('WORKERS_KEEP_DYING');
    for (const handsOver of [undefined, () => Promise.resolve(false)]) {
      const same = await handOverIf(error, handsOver);
      assert.equal(same, error);
      assert.ok(!stopsAll(same, signal));
    }
    const handedOver = await handOverIf(error, () => Promise.resolve(true));
    assert.ok(
      handedOver instanceof HandedOverError && stopsAll(handedOver, signal) && isOfMachine(handedOver),
    );
    const { message, code, fix, exitCode } = handedOver;
    assert.deepEqual(
      [message, code, fix, exitCode],
      ['text', 'WORKERS_KEEP_DYING', 'do this.', ExitCode.internal],
    );
  });
});
