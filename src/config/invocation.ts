/** The command lines that messages suggest: through npm in a checkout, `mongo2pg` where the package is installed. */

import type { CommandName } from './options/option.ts';

const isInstalled = import.meta.url.includes('/node_modules/');

/** `npm run plan -- --out plan.json`, or `mongo2pg plan --out plan.json`. */
export function invoke(command: CommandName, flags = ''): string {
  const isMain = command === 'start';
  if (isInstalled) return ['mongo2pg', isMain ? '' : command, flags].filter((word) => word !== '').join(' ');
  const name = isMain ? 'npm start' : `npm run ${command}`;
  return flags === '' ? name : `${name} -- ${flags}`;
}

/** Quotes a word for a shell. */
export function quoteWord(word: string): string {
  return /^[\w.]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
