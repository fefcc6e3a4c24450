/** Compiles the transcoder's core to WebAssembly, beside the module that loads it. */

import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = 'src/transcode/core';
const assembly = join(folder, 'assembly');
const output = join('dist', folder, 'core.wasm');

/** Does nothing where it is newer than what it is made of. @throws Error where the compiler refuses it */
export function buildCore(): void {
  if (!isUpToDate()) compile();
}

function isUpToDate(): boolean {
  if (!existsSync(output)) return false;
  const sources = readdirSync(assembly).map((file) => join(assembly, file));
  // The folder is newer when a file was removed; this script, when the options have changed.
  const inputs = [...sources, assembly, join(folder, 'codes.ts'), fileURLToPath(import.meta.url)];
  const builtMs = statSync(output).mtimeMs;
  return inputs.every((input) => statSync(input).mtimeMs < builtMs);
}

function compile(): void {
  // Not imported: it is a second to load, and its declarations change the types of all that is global.
  const asc = fileURLToPath(import.meta.resolve('assemblyscript/bin/asc.js'));
  const options = ['-O3', '--noAssert', '--runtime', 'stub', '--enable', 'simd'];
  const args = [asc, join(assembly, 'index.ts'), '--outFile', output, ...options];
  execFileSync(process.execPath, args, { stdio: 'inherit' });
}
