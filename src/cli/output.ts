/** What the command says. A reader that has gone ends no run, and no password leaves by a message. */

import { closeSync, openSync } from 'node:fs';
import { isatty } from 'node:tty';
import type { ErrorDetails } from '../common/errors.ts';
import { redact } from '../common/redact.ts';

/** The first reason for which standard output could not be written; null where all was. */
let failure: NodeJS.ErrnoException | null = null;

/**
 * `| head` has read enough (EPIPE), the disk is full (ENOSPC), the terminal is closed (EIO): what is copied is in
 * PostgreSQL all the same. Without this Node would end the process by an error that nobody caught.
 */
export function outliveReaders(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    failure ??= error;
  });
  process.stderr.on('error', () => undefined);
  const terminals = [0, 1, 2].filter((descriptor) => isatty(descriptor));
  process.on('exit', () => {
    for (const descriptor of terminals) leaveTerminal(descriptor);
  });
}

/** At its end Node gives terminals the mode back that they had, and aborts where one is gone, unless it was closed. */
function leaveTerminal(descriptor: number): void {
  if (isatty(descriptor)) return;
  closeSync(descriptor);
  // Takes the lowest number, which is that one.
  openSync('/dev/null', 'r+');
}

/** What the command was asked for: data, as it is. */
export function print(text: string): void {
  process.stdout.write(text);
}

/** One object on a line, for programs; what is worded for people in it holds no password either. */
export function printJson(value: object): void {
  const shown = (key: string, member: unknown): unknown =>
    typeof member === 'string' && worded.has(key) ? redact(member) : member;
  print(`${JSON.stringify(value, shown)}\n`);
}

const worded: ReadonlySet<string> = new Set(['message', 'fix'] satisfies ('message' | keyof ErrorDetails)[]);

/** A line for people. */
export function say(line: string): void {
  process.stderr.write(`${redact(line)}\n`);
}

/** Nobody reads standard output any more: a command that does nothing else than to show can end. */
export function isUnread(): boolean {
  return failure !== null;
}

/**
 * Waits until standard output has taken all.
 * @returns why it did not; null also where its reader has had enough
 */
export async function findLoss(): Promise<string | null> {
  await new Promise<void>((resolve) => {
    process.stdout.write('', () => {
      resolve();
    });
  });
  // An error is told after the callback of its write.
  await new Promise<void>((resolve) => {
    setImmediate(resolve);
  });
  return failure === null || failure.code === 'EPIPE' ? null : (failure.code ?? failure.message);
}
