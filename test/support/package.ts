/** Makes the package as it is published. */

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

export interface Packed {
  readonly filename: string;
  readonly version: string;
  readonly files: readonly { readonly path: string }[];
}

/** Packs the existing build; building again would disturb tests that run in parallel. */
export async function packInto(folder: string): Promise<Packed> {
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder];
  const { stdout } = await promisify(execFile)('npm', args);
  const [packed] = JSON.parse(stdout) as [Packed];
  return packed;
}
