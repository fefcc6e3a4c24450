/** Identifies a dump by its content, not by its path, so that a run is resumed only with the same dump. */

import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { explainFileError } from './bytes.ts';

/** Most dumps differ at the beginning or the end (gzip files have a checksum there). Between them, some spots are hashed. */
const edgeBytes = 65_536;
const spotBytes = 4096;
const spots = 64;

/** A hash of the file's size and of parts of it. Reading all of a large file would take as long as copying it. */
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
