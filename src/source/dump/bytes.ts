/** Reads a file of a dump from any offset; gzip is decompressed. */

import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline, type Readable } from 'node:stream';
import { constants, createGunzip } from 'node:zlib';
import { DamagedDumpError, SourceError } from '../../common/errors.ts';

/** Large, so that there are few events, and few documents that span two chunks. */
const maxChunkBytes = 1 << 20;
const minChunkBytes = 1 << 16;

export interface DumpFile {
  readonly path: string;
  readonly isGzip: boolean;
  /** Ends reading; its reason is thrown. Skipping what was loaded before may take minutes. */
  readonly signal?: AbortSignal | undefined;
}

export const makeAgain = 'create or copy the dump again, then start from scratch with --restart.';

/**
 * Chunks of the uncompressed content, from the byte `from` on. Chunks are not reused.
 * @throws SourceError if the file cannot be read
 * @throws DamagedDumpError if the gzip data is truncated or corrupt; everything before that was yielded
 */
export async function* readChunks(file: DumpFile, from: number): AsyncGenerator<Buffer, void, undefined> {
  const chunkBytes = await chunkBytesOf(file);
  if (!file.isGzip) {
    yield* guarded(file, createReadStream(file.path, { start: from, highWaterMark: chunkBytes }));
    return;
  }
  let position = 0;
  const pass = async function* (finishFlush: number): AsyncGenerator<Buffer> {
    const given = Math.max(from, position);
    position = 0;
    for await (const chunk of guarded(file, decompress(file.path, finishFlush, chunkBytes))) {
      const start = position;
      position += chunk.byteLength;
      if (position > given) yield chunk.subarray(Math.max(0, given - start));
    }
  };
  try {
    yield* pass(constants.Z_FINISH);
  } catch (error) {
    if (!isGzipError(error)) throw error;
    const given = position;
    // By default zlib discards what it decompressed from the last piece before the error. A second pass with a sync flush
    // returns that as well.
    try {
      yield* pass(constants.Z_SYNC_FLUSH);
    } catch (again) {
      if (!isGzipError(again)) throw again;
    }
    const problem = error.code === 'Z_BUF_ERROR' ? 'gzip is cut off' : `gzip is corrupt (${error.message})`;
    throw new DamagedDumpError(
      `${file.path}: ${problem} after byte ${Math.max(given, position)} of its content`,
      { code: 'DUMP_CORRUPT', fix: makeAgain, cause: error },
    );
  }
}

/** The first bytes of the content; fewer if it is shorter. */
export async function readStart(file: DumpFile, bytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let total = 0;
  for await (const chunk of readChunks(file, 0)) {
    chunks.push(chunk);
    total += chunk.byteLength;
    if (total >= bytes) break;
  }
  return Buffer.concat(chunks).subarray(0, bytes);
}

export async function readWhole(file: DumpFile): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of readChunks(file, 0)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** A buffer of this size is made for each chunk: that of a small file need not be larger than the file. */
async function chunkBytesOf({ path }: DumpFile): Promise<number> {
  // That it cannot be read is reported by the stream.
  const { size } = await stat(path).catch(() => ({ size: 0 }));
  return Math.min(maxChunkBytes, Math.max(minChunkBytes, size));
}

function decompress(path: string, finishFlush: number, chunkBytes: number): Readable {
  const gunzip = createGunzip({ chunkSize: maxChunkBytes, finishFlush });
  // An error of the file destroys `gunzip`, whose reader then throws it.
  return pipeline(createReadStream(path, { highWaterMark: chunkBytes }), gunzip, () => undefined);
}

async function* guarded(
  { path, signal }: DumpFile,
  stream: Readable,
): AsyncGenerator<Buffer, void, undefined> {
  try {
    for await (const chunk of stream) {
      signal?.throwIfAborted();
      yield chunk as Buffer;
    }
  } catch (error) {
    throw isGzipError(error) || signal?.aborted === true ? error : explainFileError(error, path);
  } finally {
    stream.destroy();
  }
}

export function explainFileError(error: unknown, path: string): SourceError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  const problem = code === 'ENOENT' ? 'there is no such file or folder' : `it cannot be read (${code})`;
  return new SourceError(`the dump ${path}: ${problem}`, {
    code: 'DUMP_UNREADABLE',
    fix: 'correct SOURCE.',
    cause: error,
  });
}

function isGzipError(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('Z_');
}
