/** Messages: parsing requests, refusals, splitting a stream, writing a batch as an array. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deserialize, serialize } from 'bson';
import { Batch } from '../../../../src/mongo/batch.ts';
import { crc32c } from '../../../../src/mongo/wire/crc32c.ts';
import { MalformedMessageError } from '../../../../src/mongo/errors.ts';
import { QueryError } from '../../../../../../src/bson/match/errors.ts';
import { MessageReader } from '../../../../src/mongo/wire/message-reader.ts';
import { ReplyBuffer } from '../../../../src/mongo/wire/reply-buffer.ts';
import { encodeReply, parseRequest, splitSequence } from '../../../../src/mongo/wire/message.ts';
import fc from '../../../../../../test/support/fast-check.ts';

function message(opCode: number, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const header = Buffer.alloc(16);
  header.writeInt32LE(16 + body.length, 0);
  header.writeInt32LE(7, 4);
  header.writeInt32LE(opCode, 12);
  return Buffer.concat([header, body]);
}

function flags(bits: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32LE(bits);
  return buffer;
}

function body(document: object): Buffer {
  return Buffer.concat([Buffer.from([0]), serialize(document)]);
}

function sequence(name: string, documents: readonly object[]): Buffer {
  const content = Buffer.concat([
    Buffer.from(`${name}\0`),
    ...documents.map((document) => serialize(document)),
  ]);
  const prefix = Buffer.alloc(5);
  prefix[0] = 1;
  prefix.writeInt32LE(content.length + 4, 1);
  return Buffer.concat([prefix, content]);
}

describe('parseRequest', () => {
  it('reads a body and a document sequence, in either order', () => {
    const documents = [{ a: 1 }, { b: 'x' }];
    for (const parts of [
      [body({ ping: 1 }), sequence('documents', documents)],
      [sequence('documents', documents), body({ ping: 1 })],
    ]) {
      const request = parseRequest(message(2013, flags(0), ...parts));
      assert.equal(request.requestId, 7);
      assert.ok(request.isReplyWanted);
      assert.deepEqual(
        deserialize(request.bytes, { index: request.bodyStart, allowObjectSmallerThanBufferSize: true }),
        {
          ping: 1,
        },
      );
      const found = request.sequences.get('documents');
      assert.ok(found !== undefined);
      const starts = [...splitSequence(request.bytes, found)];
      assert.deepEqual(
        starts.map((index) => deserialize(request.bytes, { index, allowObjectSmallerThanBufferSize: true })),
        documents,
      );
    }
  });

  it('knows moreToCome', () => {
    assert.ok(!parseRequest(message(2013, flags(2), body({ ping: 1 }))).isReplyWanted);
  });

  it('verifies a checksum', () => {
    assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283);
    const signed = message(2013, flags(1), body({ ping: 1 }), Buffer.alloc(4));
    signed.writeUInt32LE(crc32c(signed.subarray(0, -4)), signed.length - 4);
    assert.ok(parseRequest(signed).isReplyWanted);
    signed[30] = (signed[30] ?? 0) ^ 1;
    assert.throws(() => parseRequest(signed), MalformedMessageError);
  });

  it('refuses unknown flags, opcodes, section kinds and lengths', () => {
    assert.throws(() => parseRequest(message(2013, flags(4), body({ ping: 1 }))), MalformedMessageError);
    assert.throws(() => parseRequest(message(2012, flags(0), body({ ping: 1 }))), MalformedMessageError);
    assert.throws(() => parseRequest(message(2013, flags(0), Buffer.from([2]))), MalformedMessageError);
    assert.throws(() => parseRequest(message(2013, flags(0))), MalformedMessageError);
    assert.throws(() => parseRequest(message(2013)), MalformedMessageError);
    const long = message(2013, flags(0), body({ ping: 1 }), sequence('documents', []));
    long.writeInt32LE(1000, long.length - 'documents'.length - 5);
    assert.throws(() => parseRequest(long), MalformedMessageError);
  });

  it('fails only with its own errors on any bytes', () => {
    const valid = message(
      2013,
      flags(0),
      body({ insert: 'a', $db: 'b', x: [1, { y: 'z' }] }),
      sequence('s', [{ a: 1 }]),
    );
    fc.assert(
      fc.property(fc.nat(valid.length - 17), fc.nat(255), fc.nat(valid.length), (at, byte, cut) => {
        const damaged = Buffer.from(valid.subarray(0, Math.max(16, cut)));
        if (16 + at < damaged.length) {
          damaged[16 + at] = byte;
        }
        try {
          const request = parseRequest(damaged);
          for (const found of request.sequences.values()) {
            // None is one of them, if the damage is to the length.
            for (const start of splitSequence(request.bytes, found)) assert.ok(start < found.end);
          }
        } catch (error) {
          assert.ok(error instanceof MalformedMessageError || error instanceof QueryError, String(error));
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('MessageReader', () => {
  it('finds the same messages with any chunks', () => {
    const messages = [1, 30, 5000].map((length) => message(2013, Buffer.alloc(length, length)));
    const stream = Buffer.concat(messages);
    fc.assert(
      fc.property(fc.array(fc.nat(stream.length)), (cuts) => {
        const edges = [0, ...cuts.sort((a, b) => a - b), stream.length];
        const reader = new MessageReader();
        const found = edges.flatMap((edge, index) =>
          Array.from(reader.push(stream.subarray(edges[index - 1] ?? 0, edge)), (bytes) =>
            Buffer.from(bytes),
          ),
        );
        assert.deepEqual(found, messages);
      }),
    );
  });

  it('refuses impossible lengths', () => {
    for (const length of [-1, 0, 15, 48_000_001]) {
      const header = Buffer.alloc(16);
      header.writeInt32LE(length, 0);
      assert.throws(() => [...new MessageReader().push(header)], MalformedMessageError);
    }
  });
});

describe('Batch', () => {
  it('writes the same array as js-bson, for consecutive documents or not', () => {
    for (const count of [0, 1, 9, 10, 11, 99, 100, 101, 1234]) {
      const documents = Array.from({ length: count }, (_, index) => ({ index, text: 'x'.repeat(index % 7) }));
      const encoded = documents.map((document) => Buffer.from(serialize(document)));
      const neighbours = Buffer.concat(encoded);
      const batch = new Batch();
      let offset = 0;
      for (const [index, bytes] of encoded.entries()) {
        // Every fifth comes from a buffer of its own.
        assert.ok(
          index % 5 === 0 ? batch.add(bytes, 0, bytes.length) : batch.add(neighbours, offset, bytes.length),
        );
        offset += bytes.length;
      }
      const reply = encodeReply(
        { cursor: { namespace: 'a.b', cursorId: 5n, batchName: 'nextBatch', batch } },
        { responseTo: 1, isLegacy: false },
        new ReplyBuffer(),
      );
      const expected = serialize({ cursor: { nextBatch: documents, id: 5n, ns: 'a.b' }, ok: 1 });
      // `ok` is a double on the wire, which js-bson would write as an int32.
      assert.deepEqual(
        deserialize(reply.subarray(21), { useBigInt64: true }),
        deserialize(expected, { useBigInt64: true }),
      );
      assert.equal(reply.readInt32LE(0), reply.length);
    }
  });

  it('ends before 16 MiB, but accepts one document of any size', () => {
    const large = Buffer.alloc(16 * 1024 * 1024);
    large.writeInt32LE(large.length, 0);
    const single = new Batch();
    assert.ok(single.add(large, 0, large.length));
    assert.ok(!single.add(large, 0, 5));
    const batch = new Batch();
    const length = 1024 * 1024;
    let added = 0;
    while (batch.add(large, 0, length)) {
      added++;
    }
    assert.equal(added, 15);
  });
});
