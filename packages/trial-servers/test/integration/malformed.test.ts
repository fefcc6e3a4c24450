/** Bytes that no driver sends: the embedded MongoDB server closes the connection or answers with an error, and keeps running. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, afterEach, before, describe, it } from 'node:test';
import { BSON, MongoClient } from 'mongodb';
import { startMongoServer } from '../../src/mongo/server.ts';
import type { MongoServer } from '../../src/mongo/server.ts';

let server: MongoServer;
let client: MongoClient;

before(async () => {
  server = await startMongoServer();
  client = new MongoClient(server.url);
});

after(async () => {
  await client.close();
  await server.close();
});

afterEach(async () => {
  assert.equal((await client.db('a').command({ ping: 1 })).ok, 1);
});

/** Sends bytes; returns what comes back until the server closes the connection or has sent one message. */
async function exchange(bytes: Buffer, isHalfClosed = false): Promise<Buffer> {
  const socket = connect(server.port, '127.0.0.1');
  const received: Buffer[] = [];
  try {
    socket.on('error', () => undefined);
    socket.write(bytes);
    if (isHalfClosed) {
      socket.end();
    }
    const closed = once(socket, 'close');
    const answered = new Promise<void>((resolve) => {
      socket.on('data', (chunk: Buffer) => {
        received.push(chunk);
        const all = Buffer.concat(received);
        if (all.length >= 4 && all.length >= all.readInt32LE(0)) {
          resolve();
        }
      });
    });
    await Promise.race([closed, answered]);
    return Buffer.concat(received);
  } finally {
    socket.destroy();
  }
}

function message(length: number, opCode: number, content: Buffer): Buffer {
  const header = Buffer.alloc(16);
  header.writeInt32LE(length, 0);
  header.writeInt32LE(opCode, 12);
  return Buffer.concat([header, content]);
}

function opMsg(content: Buffer): Buffer {
  return message(16 + 4 + content.length, 2013, Buffer.concat([Buffer.alloc(4), content]));
}

function command(document: object): Buffer {
  return Buffer.concat([Buffer.from([0]), BSON.serialize(document)]);
}

/** The error code of an OP_MSG reply. */
function codeOf(reply: Buffer): unknown {
  return BSON.deserialize(reply.subarray(21)).code;
}

describe('malformed messages', () => {
  it('of garbage or impossible lengths end the connection', async () => {
    for (const bytes of [
      Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'),
      message(2 ** 31 - 1, 2013, Buffer.alloc(0)),
      message(-5, 2013, Buffer.alloc(0)),
      message(15, 2013, Buffer.alloc(0)),
      message(16, 2013, Buffer.alloc(0)),
      message(20, 9999, Buffer.alloc(4)),
      message(30, 2004, Buffer.alloc(14, 1)),
      opMsg(Buffer.from([7])),
    ]) {
      assert.equal((await exchange(bytes)).length === 0 || codeOf(await exchange(bytes)) === 22, true);
    }
  });

  it('that end early are dropped once the client disconnects', async () => {
    assert.equal((await exchange(message(1000, 2013, Buffer.alloc(10)), true)).length, 0);
  });

  it('of broken BSON are answered with InvalidBSON', async () => {
    const valid = command({ ping: 1, $db: 'a' });
    const truncated = Buffer.from(valid);
    truncated.writeInt32LE(valid.length + 50, 1);
    assert.equal(codeOf(await exchange(opMsg(truncated))), 22);
    const unterminated = Buffer.from(valid);
    unterminated[unterminated.length - 1] = 1;
    assert.equal(codeOf(await exchange(opMsg(unterminated))), 22);
    const insert = command({ insert: 'things', documents: [{ _id: 1, text: 'abc' }], $db: 'a' });
    const at = insert.indexOf('abc') - 4;
    insert.writeInt32LE(1_000_000, at);
    assert.equal(codeOf(await exchange(opMsg(insert))), 22);
  });

  it('that nest too deep are refused', async () => {
    let nested = Buffer.from(BSON.serialize({}));
    for (let depth = 0; depth < 5000; depth++) {
      const outer = Buffer.alloc(nested.length + 8);
      outer.writeInt32LE(outer.length, 0);
      outer.write('\x03a\0', 4, 'latin1');
      nested.copy(outer, 7);
      nested = outer;
    }
    assert.equal(codeOf(await exchange(opMsg(Buffer.concat([Buffer.from([0]), nested])))), 15);
  });

  it('without a $db or a command are answered with an error', async () => {
    assert.equal(codeOf(await exchange(opMsg(command({ ping: 1 })))), 40571);
    assert.equal(codeOf(await exchange(opMsg(command({})))), 40571);
  });

  it('an unacknowledged write gets no reply, and is done', async () => {
    const collection = client.db('a').collection<{ _id: number }>('unacknowledged');
    await collection.insertOne({ _id: 1 }, { writeConcern: { w: 0 } });
    await collection.insertOne({ _id: 2 });
    assert.equal(await collection.countDocuments(), 2);
  });

  it('OP_QUERY serves for hello only', async () => {
    const query = (document: object) => {
      const name = Buffer.from('\0\0\0\0admin.$cmd\0\0\0\0\0\xff\xff\xff\xff', 'latin1');
      const content = Buffer.concat([name, BSON.serialize(document)]);
      return message(16 + content.length, 2004, content);
    };
    const hello = BSON.deserialize((await exchange(query({ isMaster: 1, helloOk: true }))).subarray(36));
    assert.equal(hello.ismaster, true);
    assert.equal(hello.helloOk, true);
    const find = BSON.deserialize((await exchange(query({ find: 'x' }))).subarray(36));
    assert.equal(find.code, 352);
  });
});
