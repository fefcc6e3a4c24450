import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ProcessorTimes } from '../../../../src/observe/processors.ts';
import type { Seen } from '../../../../src/workers/supervisor/crew.ts';
import { Gauge } from '../../../../src/workers/supervisor/gauge.ts';
import { createAck } from '../../../support/acks.ts';
import { ScriptedClock } from '../../../support/scripted-clock.ts';

function createGauge() {
  const clock = new ScriptedClock();
  const processors = { busyMs: 0, idleMs: 0 };
  const gauge = new Gauge(
    () => clock.nowMs(),
    (): ProcessorTimes => ({ ...processors }),
  );
  return { clock, gauge, processors };
}

function assertSeen(seen: Seen, expected: Partial<Seen>): void {
  assert.deepEqual({ ...seen, ...expected }, seen);
}

describe('Gauge', () => {
  it('ignores the first ack of a worker, which reports the time before', () => {
    const { clock, gauge } = createGauge();
    gauge.hear('a', createAck({ transcodeMs: 900 }), 5000);
    clock.jump(100);
    assertSeen(gauge.look(['a']), { acks: 0, transcodeShare: 0, bytesPerMs: 0 });
  });

  it('gives shares of the time between the first ack and the last', () => {
    const { clock, gauge } = createGauge();
    gauge.hear('a', createAck(), 0);
    clock.jump(100);
    gauge.hear('a', createAck({ transcodeMs: 30, stalledMs: 10 }), 400);
    clock.jump(100);
    gauge.hear('a', createAck({ transcodeMs: 50, stalledMs: 20 }), 600);
    const { acks, transcodeShare, stalledShare, bytesPerMs } = gauge.look(['a']);
    assert.deepEqual([acks, transcodeShare, stalledShare, bytesPerMs], [2, 0.4, 0.15, 5]);
    clock.jump(200);
    const later = gauge.look(['a']);
    assert.equal(later.transcodeShare, 0.4, 'unreported time does not count');
    assert.equal(later.bytesPerMs, 2.5, 'bytes come over all of the time');
  });

  it('uses the worker with the least data', () => {
    const { clock, gauge } = createGauge();
    for (const id of ['a', 'b']) gauge.hear(id, createAck(), 0);
    clock.jump(100);
    gauge.hear('a', createAck({ transcodeMs: 80, stalledMs: 5 }), 0);
    gauge.hear('b', createAck({ transcodeMs: 20, stalledMs: 60 }), 0);
    clock.jump(100);
    gauge.hear('b', createAck({ transcodeMs: 20, stalledMs: 60 }), 0);
    assertSeen(gauge.look(['a', 'b']), { acks: 1, transcodeShare: 0.2, stalledShare: 0.05 });
    assert.equal(gauge.look(['a', 'b', 'silent']).acks, 0);
    gauge.forget('a');
    assert.equal(gauge.look(['a', 'b']).acks, 0, 'another one of that name is to be heard first');
    assert.equal(gauge.look(['b']).acks, 2);
  });

  it('has no data without workers', () => {
    const { gauge } = createGauge();
    assert.equal(gauge.look([]).acks, 0);
    assert.equal(gauge.look([]).processorShare(), null);
  });

  it('uses the shortest round trip to Postgres, of BEGIN or COMMIT', () => {
    const { gauge } = createGauge();
    assert.equal(gauge.look(['a']).roundTripMs, null);
    gauge.hear('a', createAck({ steps: { claimMs: 7, copyMs: 1, commitMs: 9 } }), 0);
    gauge.hear('a', createAck({ steps: { claimMs: 8, copyMs: 1, commitMs: 5 } }), 0);
    gauge.hear('a', createAck({ steps: { claimMs: 6, copyMs: 1, commitMs: 6 } }), 0);
    gauge.hear('a', createAck({ steps: undefined }), 0);
    assert.equal(gauge.look(['a']).roundTripMs, 5);
  });

  it('measures how busy the processors were since the first ack', () => {
    const { gauge, processors } = createGauge();
    processors.busyMs = 1000;
    gauge.hear('a', createAck(), 0);
    Object.assign(processors, { busyMs: 1030, idleMs: 10 });
    assert.equal(gauge.look(['a']).processorShare(), 0.75);
  });

  it('forgets everything at a reset', () => {
    const { clock, gauge, processors } = createGauge();
    gauge.hear('a', createAck({ steps: { claimMs: 1, copyMs: 1, commitMs: 1 } }), 0);
    clock.jump(100);
    gauge.hear('a', createAck({ transcodeMs: 90 }), 900);
    gauge.reset();
    assertSeen(gauge.look(['a']), { acks: 0, roundTripMs: null, bytesPerMs: 0 });
    assert.equal(gauge.look(['a']).processorShare(), null);
    processors.idleMs = 500;
    gauge.hear('a', createAck({ transcodeMs: 90 }), 900);
    clock.jump(10);
    gauge.hear('a', createAck({ transcodeMs: 5 }), 20);
    processors.busyMs = 500;
    assertSeen(gauge.look(['a']), { acks: 1, transcodeShare: 0.5, bytesPerMs: 2 });
    assert.equal(gauge.look(['a']).processorShare(), 1);
  });
});
