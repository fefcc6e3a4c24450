/** Splits a connection's stream of bytes into messages. */
import { MalformedMessageError } from '../errors.ts';
import { headerBytes, maxMessageBytes } from './message.ts';

export class MessageReader {
  /** The message being received, or, before its length is known, the first bytes of it. */
  #partial: Buffer | undefined;
  #receivedBytes = 0;

  /** The messages that `chunk` completes; throws MalformedMessageError at an impossible length. */
  *push(chunk: Buffer): Generator<Buffer, void, undefined> {
    let rest = chunk;
    if (this.#partial !== undefined && this.#receivedBytes < 4) {
      rest = Buffer.concat([this.#partial, chunk]);
      this.#partial = undefined;
    }
    while (rest.length > 0) {
      if (this.#partial === undefined) {
        if (rest.length < 4) {
          this.#partial = rest;
          this.#receivedBytes = rest.length;
          return;
        }
        const length = rest.readInt32LE(0);
        if (length < headerBytes || length > maxMessageBytes) {
          throw new MalformedMessageError(`a message says it has ${length} bytes`);
        }
        if (rest.length >= length) {
          yield rest.subarray(0, length);
          rest = rest.subarray(length);
          continue;
        }
        this.#partial = Buffer.allocUnsafeSlow(length);
        this.#receivedBytes = 0;
      }
      const copied = rest.copy(this.#partial, this.#receivedBytes);
      this.#receivedBytes += copied;
      rest = rest.subarray(copied);
      if (this.#receivedBytes === this.#partial.length) {
        const message = this.#partial;
        this.#partial = undefined;
        yield message;
      }
    }
  }
}
