import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DocumentError } from '../../../src/bson/document-error.ts';
import { Output } from '../../../src/bson/output.ts';

const mib = 1024 * 1024;

describe('Output', () => {
  it('keeps what was written while it grows', () => {
    const output = new Output(1);
    for (let i = 0; i < 1000; i++) {
      output.writeByte(i & 0xff);
      output.writeInt16(i);
      output.writeInt32(~i);
      output.writeAscii(`<${i}>`);
      output.writeBytes(Buffer.of(1, 2, 3));
    }
    let at = 0;
    for (let i = 0; i < 1000; i++) {
      const text = `<${i}>`;
      assert.equal(output.bytes[at], i & 0xff);
      assert.equal(output.view.getInt16(at + 1), i);
      assert.equal(output.view.getInt32(at + 3), ~i);
      assert.equal(output.bytes.toString('latin1', at + 7, at + 7 + text.length), text);
      at += 7 + text.length + 3;
      assert.deepEqual(output.bytes.subarray(at - 3, at), Buffer.of(1, 2, 3));
    }
    assert.equal(at, output.position);
  });

  it('releases a large buffer after a batch that hardly used it, and not before', () => {
    const output = new Output();
    output.writeBytes(Buffer.alloc(100 * mib));
    const large = output.bytes.length;
    output.reset();
    assert.equal(output.bytes.length, large);
    output.writeInt16(1);
    output.reset();
    assert.equal(output.bytes.length, 32 * mib);
    output.writeInt16(1);
    const { bytes } = output;
    output.reset();
    assert.equal(output.bytes, bytes);
  });

  it('takes no memory for a row beyond its limit', () => {
    const output = new Output(10);
    output.limit = 15;
    assert.throws(() => {
      output.reserve(16);
    }, DocumentError);
    assert.equal(output.bytes.length, 10);
    output.writeBytes(Buffer.alloc(15));
    output.checkLimit();
    output.writeByte(0);
    assert.throws(() => {
      output.checkLimit();
    }, DocumentError);
  });
});
