/** What the command says. A reader that has gone ends no run, and no password leaves by a message. */

import type { Writable } from 'node:stream';
import type { ErrorDetails } from '../common/errors.ts';
import { redact } from '../common/redact.ts';

/** A stream that may be a terminal's. */
export type OutputStream = Writable & { readonly isTTY?: boolean; readonly columns?: number };

export class Output {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  /** The first reason for which standard output could not be written; null where all was. */
  #failure: NodeJS.ErrnoException | null = null;

  /**
   * `| head` has read enough (EPIPE), the disk is full (ENOSPC), the terminal is closed (EIO): what is copied is in
   * PostgreSQL all the same. Without a listener Node would end the process by an error that nobody caught.
   */
  constructor(stdout: OutputStream, stderr: OutputStream) {
    this.stdout = stdout;
    this.stderr = stderr;
    stdout.on('error', (error: NodeJS.ErrnoException) => {
      this.#failure ??= error;
    });
    stderr.on('error', () => undefined);
  }

  /** What the command was asked for: data, as it is. */
  print(text: string): void {
    this.stdout.write(text);
  }

  /** One object on a line, for programs; what is worded for people in it holds no password either. */
  printJson(value: object): void {
    const shown = (key: string, member: unknown): unknown =>
      typeof member === 'string' && worded.has(key) ? redact(member) : member;
    this.print(`${JSON.stringify(value, shown)}\n`);
  }

  /** A line for people. */
  say(line: string): void {
    this.stderr.write(`${redact(line)}\n`);
  }

  /** Nobody reads standard output any more: a command that does nothing else than to show can end. */
  isUnread(): boolean {
    return this.#failure !== null;
  }

  /**
   * Waits until standard output has taken all.
   * @returns why it did not; null also where its reader has had enough
   */
  async findLoss(): Promise<string | null> {
    await new Promise<void>((resolve) => {
      this.stdout.write('', () => {
        resolve();
      });
    });
    // An error is told after the callback of its write.
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
    const failure = this.#failure;
    return failure === null || failure.code === 'EPIPE' ? null : (failure.code ?? failure.message);
  }
}

const worded: ReadonlySet<string> = new Set(['message', 'fix'] satisfies ('message' | keyof ErrorDetails)[]);
