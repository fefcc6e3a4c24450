/** Lets the process survive the closing of its terminal. */

import { closeSync, openSync } from 'node:fs';
import process from 'node:process';
import { isatty } from 'node:tty';

/** Call it at the start, while the terminals are open. */
export function outliveTerminals(): void {
  const terminals = [0, 1, 2].filter((descriptor) => isatty(descriptor));
  process.on('exit', () => {
    for (const descriptor of terminals) leaveTerminal(descriptor);
  });
}

/** At exit, Node restores the modes of its terminals, and aborts if one is gone. It skips descriptors that are no terminal. */
function leaveTerminal(descriptor: number): void {
  if (isatty(descriptor)) return;
  closeSync(descriptor);
  // `open` takes the lowest free descriptor, which is the one just closed.
  openSync('/dev/null', 'r+');
}
