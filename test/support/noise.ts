/** Incompressible text. */

import { createHash } from 'node:crypto';

/** @returns the same characters for the same seed, and others for another */
export function noise(seed: number, length: number): string {
  const hash = (part: number): string => createHash('sha512').update(`${seed} ${part}`).digest('base64');
  return Array.from({ length: Math.ceil(length / 88) }, (_, part) => hash(part))
    .join('')
    .slice(0, length);
}
