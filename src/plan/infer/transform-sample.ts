/** Transforms the documents of a sample, from which columns are inferred, and checks that the transform works. */

import { arrayOfDocuments } from '../../bson/array.ts';
import { listDocuments } from '../../bson/cursor.ts';
import { UsageError } from '../../common/errors.ts';
import { formatPlural } from '../../common/format.ts';
import type { Plan, TransformFile } from '../../transcode/plan.ts';
import { openBatchTransform } from '../../transcode/transform/open-batch-transform.ts';

/** If the function takes longer for a document, the sample omits it. Workers allow more time. */
const sampleTimeoutMs = 1_000;

/** Transforms documents of a sample. */
export type TransformSample = (documents: Uint8Array[]) => Promise<Uint8Array[]>;

/**
 * @param place of the plan to be made
 * @throws UsageError by the function, if nothing would be copied, or the result could not be followed
 */
export async function createTransformSample(
  transform: TransformFile,
  place: Pick<Plan, 'collection' | 'schema' | 'table'>,
): Promise<TransformSample> {
  const plan = { ...place, transform, columns: [], extraColumn: null };
  const batch = await openBatchTransform(plan, sampleTimeoutMs);
  return async (documents) => {
    if (batch === null || documents.length === 0) return documents;
    const { bytes, deadLetters, dropped } = await batch.transform(arrayOfDocuments(documents));
    const ofIds = deadLetters.find(({ reason }) => reason === 'transform_id');
    if (transform.keepsId === true && ofIds !== undefined) {
      throw new UsageError(`of the document with the _id ${ofIds.id ?? '?'}, ${ofIds.detail}`, {
        code: 'TRANSFORM_NOT_FOLLOWED',
        fix: 'return the document with its _id, or null; or copy without --follow.',
      });
    }
    const sampled = formatPlural(documents.length, 'sampled document');
    const [first] = deadLetters;
    if (first !== undefined && deadLetters.length === documents.length) {
      throw new UsageError(`the transform fails for all of ${sampled}: ${first.detail}`, {
        code: 'TRANSFORM_FAILS',
        fix: `correct ${transform.file}.`,
      });
    }
    if (dropped.length + deadLetters.length === documents.length) {
      throw new UsageError(`the transform leaves nothing of ${sampled}: no columns can be inferred`, {
        code: 'TRANSFORM_LEAVES_NOTHING',
        fix: 'return documents; or, where this is meant, write down the columns in a plan.',
      });
    }
    // Copied, because the memory is reused for the next batch.
    return listDocuments(bytes).map((document) => Buffer.from(document));
  };
}
