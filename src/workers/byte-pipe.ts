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
    // Errors are ignored here: the end of the worker's process reports that the other end is gone.
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
  /** The bytes of a frame are not needed any more: those of a later one may take their place. */
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
  // Errors are ignored here: the channel reports that the primary is gone.
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

/** As many as a worker is given batches at a time. */
const maxSpares = 2;

/** Puts frames together from what comes of them at a time. */
export class FrameReader {
  readonly #onFrame: (bytes: Buffer) => void;
  readonly #head = Buffer.alloc(headBytes);
  /** Memory of frames that were released. New memory for each would cost page faults and garbage collection. */
  readonly #spares: Buffer[] = [];
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
      this.#startOn(this.#take(this.#head.readUInt32BE()));
      if (this.#target.byteLength > 0) return;
    }
    const frame = this.#target;
    this.#startOn(this.#head);
    this.#onFrame(frame);
  }

  /** @param frame that was read here, whole */
  release(frame: Uint8Array): void {
    if (this.#spares.length < maxSpares) this.#spares.push(Buffer.from(frame.buffer));
  }

  #take(bytes: number): Buffer {
    const index = this.#spares.findIndex((spare) => spare.byteLength >= bytes);
    // One that is too small makes room for one that is not: frames are much alike.
    const [spare] = this.#spares.splice(index, 1);
    if (index >= 0 && spare !== undefined) return spare.subarray(0, bytes);
    return Buffer.allocUnsafeSlow(bytes + (bytes >> 3)).subarray(0, bytes);
  }

  #startOn(target: Buffer): void {
    this.#target = target;
    this.#filled = 0;
  }
}
