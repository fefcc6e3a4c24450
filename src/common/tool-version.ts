/** Which version of this tool it is, wherever it was installed and whichever folder it is called from. */

import { createRequire } from 'node:module';

/** @returns as in its package.json, like `1.2.3` */
export function readToolVersion(): string {
  // By its name a package finds its own file, from the compiled files as from the bundled ones.
  const { version } = createRequire(import.meta.url)('mongo2pg/package.json') as { version: string };
  return version;
}
