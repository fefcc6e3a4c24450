/** Makes changes while they are followed: of every ten two are inserts, six updates and two deletes. */

import { setTimeout as delay } from 'node:timers/promises';
import { ObjectId, type AnyBulkWriteOperation, type Collection, type Document } from 'mongodb';

const perTen = 10;
const bulkSize = 1_000;

/** Changes that are due are written together, once there are so many. */
const leastDue = 100;

/** Makes changes that are spread over all documents; the same ones every time. */
export class Writer {
  readonly #collection: Collection;
  readonly #amount: number;
  /** The ids, as the embedded server has no other index. */
  readonly #ids: readonly ObjectId[];
  #made = 0;
  #inserted = 0;
  #deleted = 0;

  private constructor(collection: Collection, ids: readonly ObjectId[]) {
    this.#collection = collection;
    this.#amount = ids.length;
    this.#ids = ids;
  }

  static async of(collection: Collection): Promise<Writer> {
    const documents = await collection.find({}, { projection: { _id: 1 } }).toArray();
    return new Writer(
      collection,
      documents.map(({ _id }) => _id),
    );
  }

  async write(count: number): Promise<void> {
    for (let left = count; left > 0; left -= bulkSize) {
      const size = Math.min(left, bulkSize);
      await this.#collection.bulkWrite(
        Array.from({ length: size }, () => this.#next()),
        { ordered: false },
      );
    }
  }

  /** @returns how many were made: fewer than asked for where the server is slower */
  async writeAtRate(perSecond: number, seconds: number): Promise<number> {
    const startedMs = performance.now();
    let made = 0;
    for (;;) {
      const passedMs = performance.now() - startedMs;
      if (passedMs >= seconds * 1000) return made;
      const due = Math.floor((passedMs * perSecond) / 1000) - made;
      if (due >= leastDue) {
        await this.write(due);
        made += due;
      } else {
        await delay(10);
      }
    }
  }

  #next(): AnyBulkWriteOperation {
    const place = this.#made++ % perTen;
    if (place < 2) return { insertOne: { document: makeUser(this.#amount + 1 + this.#inserted++) } };
    if (place < 8) {
      const _id = this.#ids[(this.#made * 7_919) % this.#amount] ?? idOfNew(0);
      return { updateOne: { filter: { _id }, update: { $set: { age: 1_000 + this.#made } } } };
    }
    return { deleteOne: { filter: { _id: idOfNew(this.#amount + 1 + this.#deleted++) } } };
  }
}

function idOfNew(n: number): ObjectId {
  return new ObjectId(`ffffffff${n.toString(16).padStart(16, '0')}`);
}

function makeUser(n: number): Document {
  const createdAt = new Date(1.7e12 + n * 1_000);
  return {
    _id: idOfNew(n),
    id: n,
    username: `user${n}`,
    email: `user${n}@example.com`,
    age: n % 90,
    createdAt,
  };
}
