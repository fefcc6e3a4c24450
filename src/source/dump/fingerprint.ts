/** Tells a dump from another, whatever it is called and wherever it lies: a run is continued with the same one only. */

import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { explainFileError } from './bytes.ts';

/** The beginning and the end tell most dumps apart, those of gzip by their checksum; between them some from all over. */
const edgeBytes = 65_536;
const spotBytes = 4096;
const spots = 64;

/** Of the file's size and of parts of it: reading all of a large one would take as long as copying it. */
export async function fingerprint(path: string): Promise<string> {
  const hash = createHash('sha256');
  try {
    const file = await open(path);
    try {
      const { size } = await file.stat();
      hash.update(String(size));
      const add = async (position: number, bytes: number): Promise<void> => {
        const { bytesRead, buffer } = await file.read(Buffer.alloc(bytes), 0, bytes, position);
        hash.update(buffer.subarray(0, bytesRead));
      };
      if (size <= 2 * edgeBytes) {
        await add(0, size);
      } else {
        await add(0, edgeBytes);
        for (let spot = 1; spot < spots; spot++) await add(Math.floor((size * spot) / spots), spotBytes);
        await add(size - edgeBytes, edgeBytes);
      }
    } finally {
      await file.close();
    }
  } catch (error) {
    throw explainFileError(error, path);
  }
  return `dump ${hash.digest('hex').slice(0, 32)}`;
}
