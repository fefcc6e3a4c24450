/** A value of BSON that JavaScript has none for, which a transform passes on as it is. */

export class KeptValue {
  /** The type byte, and the bytes of the value. */
  readonly type: number;
  readonly bytes: Uint8Array;

  constructor(type: number, bytes: Uint8Array) {
    this.type = type;
    this.bytes = bytes;
  }
}
