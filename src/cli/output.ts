/** The output of a command. A closed pipe does not end a run, and messages contain no password. */

import type { Writable } from 'node:stream';
import type { ErrorDetails } from '../common/errors.ts';
import { redact } from '../common/redact.ts';

/** A stream that may be a terminal. */
export type OutputStream = Writable & { readonly isTTY?: boolean; readonly columns?: number };

export class Output {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  /** The first error of standard output; null if everything was written. */
  #failure: NodeJS.ErrnoException | null = null;

  /**
   * An error of standard output (EPIPE after `| head`, ENOSPC, EIO of a closed terminal) must not stop the copy. Without a
   * listener, Node would end the process with an uncaught error.
   */
  constructor(stdout: OutputStream, stderr: OutputStream) {
    this.stdout = stdout;
    this.stderr = stderr;
    stdout.on('error', (error: NodeJS.ErrnoException) => {
      this.#failure ??= error;
    });
    stderr.on('error', () => undefined);
  }

  /** Writes data, the result of the command, unchanged. */
  print(text: string): void {
    this.stdout.write(text);
  }

  /** Writes one object on a line, for programs. Passwords in its messages are hidden. */
  printJson(value: object): void {
    const shown = (key: string, member: unknown): unknown =>
      typeof member === 'string' && messageKeys.has(key) ? redact(member) : member;
    this.print(`${JSON.stringify(value, shown)}\n`);
  }

  /** Writes a line for people, to standard error. */
  say(line: string): void {
    this.stderr.write(`${redact(line)}\n`);
  }

  /** Standard output is closed: a command that only shows something can end. */
  isUnread(): boolean {
    return this.#failure !== null;
  }

  /**
   * Waits until all of standard output is written.
   * @returns why it could not be; null also if the reader has closed the pipe
   */
  async findLoss(): Promise<string | null> {
    await new Promise<void>((resolve) => {
      this.stdout.write('', () => {
        resolve();
      });
    });
    // The event `error` comes after the callback of the write.
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
    const failure = this.#failure;
    return failure === null || failure.code === 'EPIPE' ? null : (failure.code ?? failure.message);
  }
}

/** Keys of texts for people. */
const messageKeys: ReadonlySet<string> = new Set(['message', 'fix'] satisfies (
  'message' | keyof ErrorDetails
)[]);
