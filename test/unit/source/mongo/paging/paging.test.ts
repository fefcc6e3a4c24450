import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deserialize, serialize } from 'bson';
import { Long } from 'mongodb';
import {
  pageByCursor,
  type CursorCommands,
  type Paging,
} from '../../../../../src/source/mongo/paging/paging.ts';

const filters = [serialize({ part: 1 }), serialize({ part: 2 })];

/** A server whose filters give these batches, one a command; it records its queries. */
class FakeServer implements CursorCommands {
  readonly asked: string[] = [];
  readonly killed: number[] = [];
  readonly #batches: Readonly<Record<number, readonly number[][]>>;
  #open: { id: number; rest: readonly number[][] } | null = null;
  #nextId = 1;
  /** Fails the next command. */
  failure: Error | null = null;

  constructor(batches: Readonly<Record<number, readonly number[][]>>) {
    this.#batches = batches;
  }

  find(): Promise<Uint8Array> {
    throw new Error('not asked for in this test');
  }

  openCursor(filter: Uint8Array): Promise<Uint8Array> {
    const { part } = deserialize(filter) as { part: number };
    return this.#answer(`open ${part}`, 'firstBatch', () => {
      return { id: this.#nextId++, rest: this.#batches[part] ?? [] };
    });
  }

  getMore(cursorId: Long): Promise<Uint8Array> {
    return this.#answer(`more ${cursorId.toString()}`, 'nextBatch', () => {
      assert.equal(this.#open?.id, cursorId.toNumber());
      return this.#open;
    });
  }

  killCursor(cursorId: Long): Promise<void> {
    this.killed.push(cursorId.toNumber());
    return Promise.resolve();
  }

  #answer(
    what: string,
    name: string,
    find: () => { id: number; rest: readonly number[][] },
  ): Promise<Uint8Array> {
    this.asked.push(what);
    const { failure } = this;
    this.failure = null;
    if (failure !== null) return Promise.reject(failure);
    const { id, rest } = find();
    const [batch = [], ...later] = rest;
    this.#open = later.length === 0 ? null : { id, rest: later };
    const cursorId = Long.fromNumber(this.#open === null ? 0 : id);
    return Promise.resolve(serialize({ id: cursorId, [name]: batch.map((_id) => ({ _id })) }));
  }
}

async function readAll(paging: Paging, from: readonly Uint8Array[] = filters): Promise<number[]> {
  const ids: number[] = [];
  for (;;) {
    const page = await paging.read(from, 100);
    if (page === null) return ids;
    const documents = Object.values(deserialize(page.bytes)) as { _id: number }[];
    assert.equal(page.documentCount, documents.length);
    assert.deepEqual(deserialize(page.last), { _id: documents.at(-1)?._id });
    ids.push(...documents.map(({ _id }) => _id));
  }
}

describe('pageByCursor', () => {
  it('queries once for each filter, and continues with the same cursor', async () => {
    const server = new FakeServer({ 1: [[1, 2], [3]], 2: [[4]] });
    assert.deepEqual(await readAll(pageByCursor(server)), [1, 2, 3, 4]);
    assert.deepEqual(server.asked, ['open 1', 'more 1', 'open 2']);
  });

  it('does not treat an empty batch as the end', async () => {
    const server = new FakeServer({ 1: [[], [1], [], [2]], 2: [[], []] });
    assert.deepEqual(await readAll(pageByCursor(server)), [1, 2]);
  });

  it('opens a new cursor after an error, with the current filters', async () => {
    const server = new FakeServer({ 1: [[1], [2], [3]], 2: [[4]], 3: [[2], [3]] });
    const paging = pageByCursor(server);
    assert.equal((await paging.read(filters, 100))?.documentCount, 1);
    server.failure = new Error('cursor not found');
    await assert.rejects(paging.read(filters, 100), /cursor not found/);
    assert.deepEqual(await readAll(paging, [serialize({ part: 3 })]), [2, 3]);
    assert.deepEqual(server.asked, ['open 1', 'more 1', 'open 3', 'more 2']);
  });

  it('closes a cursor that is not read to its end', async () => {
    const server = new FakeServer({ 1: [[1], [2]] });
    const paging = pageByCursor(server);
    await paging.read(filters, 100);
    await paging.close();
    await paging.close();
    assert.deepEqual(server.killed, [1]);
  });
});
