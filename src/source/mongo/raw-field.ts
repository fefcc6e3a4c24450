/**
 * A field of a command that is BSON already. The driver makes a command of JavaScript's values, and these hold neither
 * every value of BSON nor every order of names: a position that went through them could come back as another.
 */

import { ObjectId } from 'mongodb';
import { bsonTypes } from '../../bson/types.ts';
import type { BsonValue } from '../../bson/build.ts';

/** For `{find: 'users', ...rawField('filter', value)}`. */
export function rawField(name: string, value: BsonValue): Readonly<Record<string, unknown>> {
  return { [name]: new RawValue(name, value) };
}

const placeholder = new Uint8Array(12);

/**
 * Of all types an ObjectId alone writes its bytes into the message by itself, by js-bson's `serializeInto`. This one
 * writes those of its value, and its type over that of an ObjectId. Were it ever not asked to, the server would be sent an
 * ObjectId where it needs an object, and would refuse it.
 */
class RawValue extends ObjectId {
  readonly #head: Buffer;
  readonly #value: BsonValue;

  constructor(name: string, value: BsonValue) {
    super(placeholder);
    this.#head = Buffer.from(`\0${name}\0`);
    this.#head[0] = bsonTypes.objectId;
    this.#value = value;
  }

  /** @returns how many bytes it has written. @throws Error when what comes before is not the name of this field */
  serializeInto(message: Uint8Array, offset: number): number {
    const start = offset - this.#head.byteLength;
    if (start < 0 || this.#head.compare(message, start, offset) !== 0) {
      throw new Error('js-bson writes fields otherwise than it did: a command cannot carry raw BSON');
    }
    const { type, bytes } = this.#value;
    message[start] = type;
    message.set(bytes, offset);
    return bytes.byteLength;
  }
}
