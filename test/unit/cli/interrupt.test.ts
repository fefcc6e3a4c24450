import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { InterruptedError } from '../../../src/common/errors.ts';
import { Interrupt } from '../../../src/cli/interrupt.ts';

describe('a signal to stop', () => {
  it('aborts with the reason, and another one stops immediately', () => {
    const interrupt = new Interrupt();
    assert.equal(interrupt.signal.aborted, false);
    assert.equal(interrupt.hear('SIGHUP', 1000), 'first');
    const reason: unknown = interrupt.signal.reason;
    assert.ok(reason instanceof InterruptedError);
    assert.equal(reason.exitCode, 129);
    assert.equal(interrupt.hear('SIGHUP', 1500), 'again');
    assert.equal(interrupt.hear('SIGTERM', 1001), 'again');
  });

  it('that arrives twice, by the process group and forwarded, counts once', () => {
    const interrupt = new Interrupt();
    assert.equal(interrupt.hear('SIGTERM', 1000), 'first');
    assert.equal(interrupt.hear('SIGTERM', 1001), 'echo');
    assert.equal(interrupt.hear('SIGTERM', 1499), 'echo');
    assert.equal(interrupt.hear('SIGTERM', 1500), 'again');
  });
});
