/** Random samples by `$sample`: of documents, and of `_id`s at which to divide a collection. */

import { MongoServerError } from 'mongodb';
import { listDocuments } from '../../../bson/cursor.ts';
import type { IdSample } from '../../source.ts';
import { requireId } from '../documents.ts';
import { isTransientMongoError } from '../mongo-errors.ts';
import { canDivide } from '../paging/id-cuts.ts';
import { matching, type RawCommands } from '../raw-commands.ts';

/** More than wanted, because a filter may leave few of them. */
const sampledIdsForFilter = 1000;
/** For 5% or more, mongod reads the whole collection. */
const maxSampledShare = 0.04;

/**
 * @param filter a BSON document; undefined for all documents
 * @returns documents as raw BSON; null if the server does not know `$sample`
 */
export async function sampleDocuments(
  commands: RawCommands,
  filter: Uint8Array | undefined,
  size: number,
): Promise<Uint8Array[] | null> {
  try {
    const match = filter === undefined ? [] : [matching(filter)];
    return listDocuments(await commands.aggregateSample([...match, { $sample: { size } }], size));
  } catch (error) {
    if (isUnknownStage(error)) return null;
    throw error;
  }
}

/**
 * @param isFiltered if so, more ids are sampled, because `sortIds` drops those that do not match
 * @param sortIds returns ids in the server's order
 * @returns null if there are too few documents, or the server does not sample
 */
export async function sampleIds(
  commands: RawCommands,
  wanted: number,
  isFiltered: boolean,
  sortIds: (ids: readonly Uint8Array[]) => Promise<Uint8Array[]>,
): Promise<IdSample | null> {
  const count = await commands.estimateCount();
  const enough = isFiltered ? Math.max(wanted, sampledIdsForFilter) : wanted;
  const size = Math.min(enough, Math.floor(count * maxSampledShare));
  if (size === 0) return null;
  try {
    const pipeline = [{ $sample: { size } }, { $project: { _id: 1 } }];
    const found = await commands.aggregateSample(pipeline, size);
    // The server sorts, because the order of types and of strings depends on it and on the collection's collation.
    const ids = await sortIds(listDocuments(found).map(requireId).filter(canDivide));
    return { ids, documentsPerId: count / size };
  } catch (error) {
    // Whatever the reason, the collection can be read without sampling.
    if (!(error instanceof MongoServerError) || isTransientMongoError(error)) throw error;
    return null;
  }
}

/** The server does not know an aggregation stage: mongod's code, and NotImplemented. */
function isUnknownStage(error: unknown): boolean {
  return error instanceof MongoServerError && (error.code === 40324 || error.code === 238);
}
