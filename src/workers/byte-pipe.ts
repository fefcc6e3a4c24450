/**
 * A pipe to a worker process, in addition to its IPC channel. It transfers the bytes of batches, which are read directly into their
 * final buffer: the channel would copy them into a message on one side and out of it on the other.
 *
 * A frame is its length in bytes (uint32, big-endian), followed by the bytes.
 */

import { Socket, type ConnectOpts, type SocketConstructorOpts } from 'node:net';

/** The first descriptor after standard input, output and error, and node:cluster's channel. */
const pipeFd = 4;

/** The stdio option with which a process is spawned, so that it has the pipe. */
export const stdioWithPipe = ['inherit', 'inherit', 'inherit', 'ipc', 'pipe'] as const;

const headBytes = 4;

/** The primary's end. The bytes must not be changed after `write`, since their completion is not reported. */
export class PipeWriter {
  readonly #socket: Socket;

  /** @param stdio of a process that was spawned with `stdioWithPipe` */
  constructor(stdio: readonly unknown[] | undefined) {
    const socket = stdio?.[pipeFd];
    if (!(socket instanceof Socket)) throw new Error('the worker was spawned without a pipe');
    this.#socket = socket;
    // Errors are ignored: the exit of the worker process reports that the other end is gone.
    socket.on('error', () => undefined);
  }

  write(bytes: Uint8Array): void {
    if (!this.#socket.writable) return;
    const head = Buffer.allocUnsafe(headBytes);
    head.writeUInt32BE(bytes.byteLength);
    // Both in one system call.
    this.#socket.cork();
    this.#socket.write(head);
    this.#socket.write(bytes);
    this.#socket.uncork();
  }

  close(): void {
    this.#socket.destroy();
  }
}

export interface Pipe {
  close(): void;
  /** Releases the buffer of a frame for a later one. */
  release(frame: Uint8Array): void;
}

/** The worker's end. */
export function readPipe(onFrame: (bytes: Buffer) => void): Pipe {
  const frames = new FrameReader(onFrame);
  const options: SocketConstructorOpts & ConnectOpts = {
    fd: pipeFd,
    readable: true,
    writable: false,
    onread: {
      buffer: () => frames.room,
      callback: (count) => {
        frames.advance(count);
        return true;
      },
    },
  };
  const socket = new Socket(options);
  // Errors are ignored: the channel reports that the primary is gone.
  socket.on('error', () => undefined);
  return {
    close: () => {
      socket.destroy();
    },
    release: (frame) => {
      frames.release(frame);
    },
  };
}

/** As many as a worker has batches at a time. */
const maxSpares = 2;

/** Assembles frames from chunks. */
export class FrameReader {
  readonly #onFrame: (bytes: Buffer) => void;
  readonly #head = Buffer.alloc(headBytes);
  /** Buffers of released frames. A new buffer for each would cost page faults and garbage collection. */
  readonly #spares: Buffer[] = [];
  #target: Buffer = this.#head;
  #filled = 0;

  constructor(onFrame: (bytes: Buffer) => void) {
    this.#onFrame = onFrame;
  }

  /** Where to read the next bytes; never empty, and never beyond the end of a frame. */
  get room(): Buffer {
    return this.#target.subarray(this.#filled);
  }

  /** To be called once `count` bytes were read into `room`. */
  advance(count: number): void {
    this.#filled += count;
    if (this.#filled < this.#target.byteLength) return;
    if (this.#target === this.#head) {
      this.#startOn(this.#take(this.#head.readUInt32BE()));
      if (this.#target.byteLength > 0) return;
    }
    const frame = this.#target;
    this.#startOn(this.#head);
    this.#onFrame(frame);
  }

  /** @param frame that this reader has returned */
  release(frame: Uint8Array): void {
    if (this.#spares.length < maxSpares) this.#spares.push(Buffer.from(frame.buffer));
  }

  #take(bytes: number): Buffer {
    const index = this.#spares.findIndex((spare) => spare.byteLength >= bytes);
    // A buffer that is too small is replaced: most frames have about the same size.
    const [spare] = this.#spares.splice(index, 1);
    if (index >= 0 && spare !== undefined) return spare.subarray(0, bytes);
    return Buffer.allocUnsafeSlow(bytes + (bytes >> 3)).subarray(0, bytes);
  }

  #startOn(target: Buffer): void {
    this.#target = target;
    this.#filled = 0;
  }
}
