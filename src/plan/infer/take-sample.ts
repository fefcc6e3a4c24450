/** Takes the sample for inferring a plan: small if the documents are alike, otherwise larger. */

import type { Sample, Source } from '../../source/source.ts';
import { type FieldStats, gatherStats, type SampleStats, type StatsDepth } from './field-stats.ts';
import type { TransformSample } from './transform-sample.ts';

/** The size of the first sample. A whole one takes up to a second to fetch and to analyse. */
const firstSize = 1_000;
const wholeSize = 10_000;

/**
 * If a field, or a type of it, is in fewer documents than this share, there may be others that the sample does not have. With
 * 1,000 documents, what was not seen is in fewer than 0.3% of all documents, in 95 of 100 cases (the rule of three).
 */
const leastShare = 0.01;

export interface TakenSample {
  readonly sample: Sample;
  /** The transformed documents; without a transform, the documents themselves. */
  readonly documents: Uint8Array[];
  readonly stats: SampleStats;
}

/**
 * @param size the number of documents; undefined to choose it here
 * @param isWhole whether the full sample is needed even if documents are alike
 * @param depth of the statistics; the usual depth if undefined
 */
export async function takeSample(
  source: Source,
  size: number | undefined,
  isWhole: boolean,
  transform: TransformSample | null = null,
  depth?: StatsDepth,
): Promise<TakenSample> {
  // For a dump, a small sample costs as much: all of it is read.
  if (size === undefined && !isWhole && source.divide !== undefined) {
    const first = await readSample(source, firstSize, transform, depth);
    if (isEnough(first, depth)) return first;
  }
  return await readSample(source, size ?? wholeSize, transform, depth);
}

async function readSample(
  source: Source,
  size: number,
  transform: TransformSample | null,
  depth?: StatsDepth,
): Promise<TakenSample> {
  const sample = await source.sample(size);
  const documents = transform === null ? sample.documents : await transform(sample.documents);
  return { sample, documents, stats: gatherStats(documents, depth) };
}

function isEnough({ sample, stats }: TakenSample, depth?: StatsDepth): boolean {
  // The whole collection is smaller than the first sample.
  if (sample.documents.length < firstSize) return true;
  if (sample.method !== 'random' || stats.corrupt > 0) return false;
  return areAlike(stats.fields, stats.documents, depth !== undefined);
}

/**
 * Whether all fields and types are frequent enough. Null counts as no value.
 * @param isDeep whether embedded documents and arrays get columns as well
 */
function areAlike(fields: ReadonlyMap<string, FieldStats>, total: number, isDeep: boolean): boolean {
  const least = total * leastShare;
  return [...fields.values()].every(({ types, children, elements }) => {
    const areMet = [...types].every(([type, count]) => count >= least || (type === 'null' && types.size > 1));
    if (!areMet || !isDeep) return areMet;
    const inside = areAlike(children, types.get('object') ?? 0, true);
    return (
      inside && (elements === null || areAlike(elements.children, elements.types.get('object') ?? 0, true))
    );
  });
}
