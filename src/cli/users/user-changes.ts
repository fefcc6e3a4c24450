/** Chooses the next users to insert, update and delete: always the same ones for the same seed and users. */

import { ObjectId, type AnyBulkWriteOperation } from 'mongodb';
import { createRandom, type Random } from '../../common/random.ts';
import type { User } from './user.ts';

/** An arbitrary fixed number. */
export const defaultSeed = 20_240_101;

/** Of ten changes on average; the others are updates. */
const insertsOfTen = 2;
const deletionsOfTen = 2;

/** The keys of a user. */
export interface KnownUser {
  readonly _id: ObjectId;
  readonly id: number;
}

export class UserChanges {
  readonly #random: Random;
  readonly #makeUsers: (firstId: number, count: number) => User[];
  /** Users that may be updated or deleted: existing and inserted ones. */
  readonly #users: KnownUser[];
  #nextId: number;
  #number = 0;

  constructor(
    users: readonly KnownUser[],
    options: {
      readonly seed: number;
      /** The id of the first user to insert. */
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
   * @returns changes that have the same effect if all inserts are done first and all deletions last: no user is updated
   * after its deletion
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
    // One update that sets a value, and one that depends on the old value.
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
