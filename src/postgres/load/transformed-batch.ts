/** Encodes the results of a transform as a batch for PostgreSQL. */

import type { RowEncoder } from '../../transcode/row.ts';
import type { BatchTransform } from '../../transcode/transform/batch-transform.ts';
import { encodeTransformed } from '../../transcode/transform/encode-transformed.ts';
import { withCodes, type LoadableBatch } from './loadable-batch.ts';

/** @param array a BSON array of the original documents */
export async function encodeResults(
  encoder: RowEncoder,
  transform: BatchTransform,
  array: Uint8Array,
): Promise<LoadableBatch> {
  const { encoded, sources } = encodeTransformed(encoder, await transform.transform(array), array);
  const deadLetters = sources.deadLetters.map((letter) => ({ ...letter, code: null }));
  return { ...withCodes(encoded), sources: { ...sources, deadLetters } };
}
