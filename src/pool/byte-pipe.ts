/**
 * The pipe that lies beside the channel of a worker process. A batch's bytes go through it as they are, and are read
 * into the place where they stay: the channel would copy them into a message on one side and out of it on the other.
 *
 * A frame is the number of its bytes (uint32, big-endian), and these.
 */

import { Socket, type ConnectOpts, type SocketConstructorOpts } from 'node:net';

/** The first one after those of standard input, output and error, and of node:cluster's channel. */
const pipeFd = 4;

/** What a process is spawned with, so that it has the pipe. */
export const stdioWithPipe = ['inherit', 'inherit', 'inherit', 'ipc', 'pipe'] as const;

const headBytes = 4;

/** The primary's end. The bytes must stay as they are until they are written: nobody tells when. */
export class PipeWriter {
  readonly #socket: Socket;

  /** @param stdio of a process that was spawned with `stdioWithPipe` */
  constructor(stdio: readonly unknown[] | undefined) {
    const socket = stdio?.[pipeFd];
    if (!(socket instanceof Socket)) throw new Error('the worker was spawned without a pipe');
    this.#socket = socket;
    // That the other end is gone is told by the end of its process.
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

/** The worker's end. @returns what closes it */
export function readPipe(onFrame: (bytes: Buffer) => void): () => void {
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
  // That the primary is gone is told by the channel.
  socket.on('error', () => undefined);
  return () => {
    socket.destroy();
  };
}

/** Puts frames together from what comes of them at a time. */
export class FrameReader {
  readonly #onFrame: (bytes: Buffer) => void;
  readonly #head = Buffer.alloc(headBytes);
  #target: Buffer = this.#head;
  #filled = 0;

  constructor(onFrame: (bytes: Buffer) => void) {
    this.#onFrame = onFrame;
  }

  /** Where the bytes go that come next; never empty, and never beyond the end of a frame. */
  get room(): Buffer {
    return this.#target.subarray(this.#filled);
  }

  /** To be called once there are `count` more bytes in what `room` was. */
  advance(count: number): void {
    this.#filled += count;
    if (this.#filled < this.#target.byteLength) return;
    if (this.#target === this.#head) {
      this.#startOn(Buffer.allocUnsafeSlow(this.#head.readUInt32BE()));
      if (this.#target.byteLength > 0) return;
    }
    const frame = this.#target;
    this.#startOn(this.#head);
    this.#onFrame(frame);
  }

  #startOn(target: Buffer): void {
    this.#target = target;
    this.#filled = 0;
  }
}
