/** `npm run api`: records the current public types, which accepts a change of them. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describePublicApi } from './describe.ts';

const path = join('test', 'data', 'public-api.txt');
writeFileSync(path, describePublicApi());
console.log(`wrote ${path}: read what has changed in it`);
