/** The terminals that the process began with: one that is closed before its end breaks nothing. */

import { closeSync, openSync } from 'node:fs';
import process from 'node:process';
import { isatty } from 'node:tty';

/** To be called at the start, while they are there. */
export function outliveTerminals(): void {
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
