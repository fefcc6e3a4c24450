/**
 * A field of a command that is BSON already. The driver builds commands from JavaScript values, which cannot represent every
 * BSON value, nor every order of names: a position that was converted could change.
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
 * ObjectId is the only type of js-bson that writes its own bytes, by `serializeInto`. This subclass writes the bytes of its
 * value instead, and overwrites the type. If js-bson ever stopped calling it, the server would get an ObjectId where it
 * needs an object, and would refuse it.
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

  /** @returns the number of bytes written. @throws Error if the preceding bytes are not the name of this field */
  serializeInto(message: Uint8Array, offset: number): number {
    const start = offset - this.#head.byteLength;
    if (start < 0 || this.#head.compare(message, start, offset) !== 0) {
      throw new Error('js-bson has changed how it writes fields: a command cannot carry raw BSON');
    }
    const { type, bytes } = this.#value;
    message[start] = type;
    message.set(bytes, offset);
    return bytes.byteLength;
  }
}
