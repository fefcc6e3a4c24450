import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import * as errors from '../../../src/common/errors.ts';

const { ExitCode, InterruptedError, MigrationError, fromWireError, stopSignals, toWireError, withFix } =
  errors;

describe('exit codes', () => {
  it('are those of the docs', async () => {
    const docs = await readFile('docs/exit-codes.md', 'utf8');
    const reported = [...docs.matchAll(/^\| ([\d, ]+) \|/gm)].flatMap(([, codes = '']) => codes.split(', '));
    assert.deepEqual(reported.map(Number), Object.values(ExitCode));
  });
});

describe('an error', () => {
  const details = { code: 'SOME_CODE', fix: 'do this.', isServerGone: true };
  /** One of each class that the module exports, so that none is missed here. */
  const all = Object.values(errors).flatMap((Class): errors.MigrationError[] => {
    if (typeof Class !== 'function' || !(Class.prototype instanceof Error)) return [];
    if (Class === InterruptedError) {
      return stopSignals.map((signal) => new InterruptedError(signal, details.fix));
    }
    if (Class === MigrationError) return [new MigrationError(ExitCode.different, 'of its own', details)];
    return [new (Class as typeof errors.UsageError)('of its own', details)];
  });

  for (const error of all) {
    it(`${error.name} (${error.exitCode}) is the same at the other end of a channel`, () => {
      const arrived = fromWireError(structuredClone(toWireError(error)));
      assert.equal(arrived.constructor, error.constructor);
      const reported = ({ name, message, code, fix, exitCode, isServerGone }: errors.MigrationError) => ({
        ...{ name, message, code, fix, exitCode, isServerGone },
      });
      assert.deepEqual(reported(arrived), reported(error));
    });
  }

  it('keeps its class and code when its fix is replaced', () => {
    const error = new errors.DamagedDumpError('cut off', { code: 'DUMP_CUT_OFF', fix: 'one.' });
    const other = withFix(error, 'two.');
    assert.ok(other instanceof errors.DamagedDumpError);
    assert.deepEqual([other.code, other.fix, other.cause], ['DUMP_CUT_OFF', 'two.', error]);
  });

  it('of an internal class arrives as an error of the side that failed', () => {
    class OwnError extends errors.TargetError {}
    const arrived = fromWireError(structuredClone(toWireError(new OwnError('of its own', details))));
    assert.ok(arrived instanceof errors.TargetError);
    assert.deepEqual([arrived.code, arrived.fix], ['SOME_CODE', 'do this.']);
  });

  it('that is unexpected is transferred with its stack', () => {
    const { message, exitCode, code } = toWireError(new TypeError('oops'));
    assert.match(message, /TypeError: oops\n\s+at /);
    assert.deepEqual([exitCode, code], [ExitCode.internal, 'INTERNAL']);
  });
});

describe('an error of another copy of the module, as the trial servers have beside the bundle', () => {
  it('is recognised as one of ours, and of no subclass', async () => {
    const other = (await import(
      new URL('../../../src/common/errors.js?again', import.meta.url).href
    )) as typeof errors;
    assert.notEqual(other.TargetError, errors.TargetError);
    const error: unknown = new other.TargetError('no server', { code: 'SOME_CODE', fix: 'start it.' });
    assert.ok(error instanceof MigrationError);
    assert.ok(!(error instanceof errors.TargetError));
    assert.equal(toWireError(error).exitCode, ExitCode.target);
    assert.ok(!(new Error('a defect') instanceof MigrationError));
    assert.ok(new errors.TargetError('x', { code: 'Y' }) instanceof errors.TargetError);
  });
});
