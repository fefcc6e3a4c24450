/**
 * Builds the bundles that people run, from the sources: `dist/bundle`, and the core in WebAssembly that they load. Nothing is done
 * where these are newer than all that they are made of, so that a start does not wait for it.
 */

import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { makeBundles } from './bundle.ts';
import { buildCore } from './core.ts';
import { collectLicences } from './licences.ts';

const folder = 'dist/bundle';
/** Written last, so that an interrupted build is repeated. */
const stamp = `${folder}/inputs.json`;

buildCore();
if (!isUpToDate()) {
  const startedMs = performance.now();
  const building = `${folder}.${process.pid}`;
  try {
    const { inputs, packages } = await makeBundles(building);
    writeFileSync(`${building}/LICENSES.txt`, collectLicences(packages));
    writeFileSync(`${building}/inputs.json`, JSON.stringify(inputs));
    rmSync(folder, { recursive: true, force: true });
    mkdirSync('dist', { recursive: true });
    renameSync(building, folder);
  } finally {
    rmSync(building, { recursive: true, force: true });
  }
  console.log(`bundled in ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
}

/** By the times of the files, those of packages included: a package that is reinstalled has new ones. */
function isUpToDate(): boolean {
  try {
    const builtMs = statSync(stamp).mtimeMs;
    const inputs = JSON.parse(readFileSync(stamp, 'utf8')) as string[];
    return inputs.every((file) => statSync(file).mtimeMs < builtMs);
  } catch {
    return false;
  }
}
