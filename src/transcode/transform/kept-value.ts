/** A BSON value without a JavaScript equivalent, which a transform passes on unchanged. */

export class KeptValue {
  /** The type byte, and the bytes of the value. */
  readonly type: number;
  readonly bytes: Uint8Array;

  constructor(type: number, bytes: Uint8Array) {
    this.type = type;
    this.bytes = bytes;
  }
}
