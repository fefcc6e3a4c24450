/** Which users are inserted, changed and deleted next: for the same seed and the same users, always the same. */

import { ObjectId, type AnyBulkWriteOperation } from 'mongodb';
import { createRandom, type Random } from '../../common/random.ts';
import type { User } from './seed.ts';

/** Any fixed number does. */
export const defaultSeed = 20_240_101;

/** Of ten changes on average; the others are updates. */
const insertsOfTen = 2;
const deletionsOfTen = 2;

/** What is known of a user: how to find it again. */
export interface KnownUser {
  readonly _id: ObjectId;
  readonly id: number;
}

export class UserChanges {
  readonly #random: Random;
  readonly #makeUsers: (firstId: number, count: number) => User[];
  /** Those that may be changed or deleted, and those that were inserted. */
  readonly #users: KnownUser[];
  #nextId: number;
  #number = 0;

  constructor(
    users: readonly KnownUser[],
    options: {
      readonly seed: number;
      /** Of the first user that is inserted. */
      readonly nextId: number;
      readonly makeUsers: (firstId: number, count: number) => User[];
    },
  ) {
    this.#users = [...users];
    this.#random = createRandom(options.seed);
    this.#nextId = options.nextId;
    this.#makeUsers = options.makeUsers;
  }

  /**
   * @returns changes that mean the same when all inserts are done first and all deletions last: nothing is changed that
   * was deleted before
   */
  take(count: number): AnyBulkWriteOperation<User>[] {
    return Array.from({ length: count }, () => this.#next());
  }

  #next(): AnyBulkWriteOperation<User> {
    this.#number++;
    const kind = this.#random.below(10);
    const index = this.#random.below(this.#users.length);
    const user = this.#users[index];
    if (kind < insertsOfTen || user === undefined) return this.#insert();
    const filter = { _id: user._id };
    if (kind < insertsOfTen + deletionsOfTen) {
      const last = this.#users.pop();
      if (last !== undefined && last !== user) this.#users[index] = last;
      return { deleteOne: { filter } };
    }
    // One that says what it becomes, and one that depends on what it was.
    const email = `user${user.id}.${this.#number}@example.org`;
    const update = this.#random.chance(0.5) ? { $set: { email } } : { $inc: { age: 1 } };
    return { updateOne: { filter, update } };
  }

  #insert(): AnyBulkWriteOperation<User> {
    const [user] = this.#makeUsers(this.#nextId, 1);
    if (user === undefined) throw new RangeError('one user was asked for');
    const known = { _id: new ObjectId(), id: this.#nextId++ };
    this.#users.push(known);
    return { insertOne: { document: { ...user, _id: known._id } } };
  }
}
