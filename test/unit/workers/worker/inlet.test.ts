import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FrameReader } from '../../../../src/workers/byte-pipe.ts';
import type { ToWorker } from '../../../../src/workers/protocol.ts';
import { Inlet } from '../../../../src/workers/worker/inlet.ts';
import fc from '../../../support/fast-check.ts';

function batchOf(number: number, documents: Uint8Array): ToWorker {
  const place = { number, rangeNo: 1, epoch: 1, after: null, last: new Uint8Array() };
  const batch = { ...place, documentCount: 1, bytes: documents };
  return { kind: 'batch', run: 1, delivery: number, batch, sentAtMs: number };
}

describe('Inlet', () => {
  it('delivers in the order of the channel, each batch with its bytes, whichever comes first', () => {
    const kinds = fc.array(fc.constantFrom('batch', 'drain'), { maxLength: 12 });
    fc.assert(
      fc.property(kinds, fc.infiniteStream(fc.boolean()), (sent, turns) => {
        const whole = sent.map((kind, number): ToWorker =>
          kind === 'batch' ? batchOf(number, Buffer.of(number)) : { kind: 'drain' },
        );
        const messages = whole.map((message, number) =>
          message.kind === 'batch' ? batchOf(number, new Uint8Array()) : message,
        );
        const bytes = whole.flatMap((message) => (message.kind === 'batch' ? [message.batch.bytes] : []));
        const heard: ToWorker[] = [];
        const inlet = new Inlet((message) => {
          heard.push(message);
        });
        for (const isMessage of turns) {
          const message = isMessage || bytes.length === 0 ? messages.shift() : undefined;
          if (message !== undefined) inlet.takeMessage(message);
          const next = message === undefined ? bytes.shift() : undefined;
          if (next !== undefined) inlet.takeBytes(next);
          if (messages.length + bytes.length === 0) break;
        }
        assert.deepEqual(heard, whole);
      }),
    );
  });
});

describe('FrameReader', () => {
  it('joins frames from any chunks', () => {
    const frames = fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 8 });
    fc.assert(
      fc.property(frames, fc.infiniteStream(fc.integer({ min: 1, max: 12 })), (sent, sizes) => {
        const stream = Buffer.concat(
          sent.flatMap((frame) => {
            const head = Buffer.alloc(4);
            head.writeUInt32BE(frame.byteLength);
            return [head, frame];
          }),
        );
        const read: Buffer[] = [];
        const reader = new FrameReader((frame) => {
          read.push(frame);
        });
        let at = 0;
        for (const size of sizes) {
          if (at === stream.byteLength) break;
          const { room } = reader;
          const count = stream.copy(room, 0, at, Math.min(at + size, stream.byteLength));
          reader.advance(count);
          at += count;
        }
        assert.deepEqual(
          read.map((frame) => frame.toString('hex')),
          sent.map((frame) => Buffer.from(frame).toString('hex')),
        );
      }),
    );
  });

  it('uses the memory of frames that were released, and of no others', () => {
    const frames = fc.array(fc.tuple(fc.integer({ min: 1, max: 40 }), fc.boolean()), { maxLength: 12 });
    fc.assert(
      fc.property(frames, (sent) => {
        const kept: Buffer[] = [];
        const reader = new FrameReader((frame) => {
          kept.push(frame);
        });
        sent.forEach(([length, isReleased], number) => {
          feed(reader, Buffer.of(0, 0, 0, length), Buffer.alloc(length, number));
          if (isReleased) reader.release(kept.splice(kept.length >> 1, 1)[0] ?? Buffer.of());
          for (const frame of kept) assert.equal(new Set(frame).size, 1, 'overwritten');
          assert.equal(new Set(kept.map((frame) => frame[0])).size, kept.length);
        });
      }),
    );
    const read: Buffer[] = [];
    const reader = new FrameReader((frame) => {
      read.push(frame);
      reader.release(frame);
    });
    for (const length of [40, 42, 60, 50]) feed(reader, Buffer.of(0, 0, 0, length), Buffer.alloc(length));
    const [first, alike, longer, shorter] = read;
    assert.equal(alike?.buffer, first?.buffer);
    assert.notEqual(longer?.buffer, first?.buffer);
    assert.equal(shorter?.buffer, longer?.buffer);
    assert.deepEqual(
      read.map(({ byteLength }) => byteLength),
      [40, 42, 60, 50],
    );
  });
});

function feed(reader: FrameReader, ...parts: readonly Buffer[]): void {
  for (const part of parts) {
    part.copy(reader.room);
    reader.advance(part.byteLength);
  }
}
