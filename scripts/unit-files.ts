/** The unit tests that `npm test` names, in one process: most take less than the start of a process for each file. */

import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

for (const file of (process.env.TEST_UNIT_FILES ?? '').split('\n')) {
  await import(pathToFileURL(resolve(file)).href);
}
