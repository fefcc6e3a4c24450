import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { UsageError } from '../../../../src/common/errors.ts';
import { failpointNames, parseFailpointRules } from '../../../../src/common/failpoints/rules.ts';

describe('parseFailpointRules', () => {
  it('reads an action that fires once, at the first hit', () => {
    assert.deepEqual(
      [...parseFailpointRules('worker-before-ack=drop').values()],
      [{ name: 'worker-before-ack', action: 'drop', bytes: undefined, firstHit: 1, maxFirings: 1 }],
    );
  });

  it('reads modifiers, and several points', () => {
    const rules = parseFailpointRules(
      'worker-transcode=kill?deadbeef@3x* ; primary-after-ack=exit@12; worker-in-copy=exitx4',
    );
    assert.deepEqual(
      [...rules.values()],
      [
        {
          name: 'worker-transcode',
          action: 'kill',
          bytes: Buffer.from('deadbeef', 'hex'),
          firstHit: 3,
          maxFirings: Infinity,
        },
        { name: 'primary-after-ack', action: 'exit', bytes: undefined, firstHit: 12, maxFirings: 1 },
        { name: 'worker-in-copy', action: 'exit', bytes: undefined, firstHit: 1, maxFirings: 4 },
      ],
    );
  });

  it('refuses an unknown name or action, and lists the known ones', () => {
    assert.throws(
      () => parseFailpointRules('worker-before-lunch=kill'),
      (error) =>
        error instanceof UsageError &&
        error.message.includes('"worker-before-lunch"') &&
        failpointNames.every((name) => error.fix.includes(name)),
    );
    assert.throws(
      () => parseFailpointRules('worker-in-copy=maim'),
      (error) => error instanceof UsageError && error.fix.includes('kill, exit, hang'),
    );
  });

  it('refuses what does not follow the grammar', () => {
    for (const text of [
      'worker-in-copy',
      'worker-in-copy=',
      'worker-in-copy=kill@0',
      'worker-in-copy=killx0',
      'worker-in-copy=killx2@3',
      'worker-in-copy=kill?abc',
      'worker-in-copy=kill?xx',
      'worker-in-copy=kill;',
      'worker-in-copy=kill;worker-in-copy=exit',
    ]) {
      assert.throws(() => parseFailpointRules(text), UsageError, text);
    }
  });
});
