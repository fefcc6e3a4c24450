/** Checks a filter on the server, so that an invalid one is refused before anything is written. */

import { MongoServerError } from 'mongodb';
import { UsageError } from '../../common/errors.ts';
import type { RawCommands } from './raw-commands.ts';

/**
 * @param filter a BSON document
 * @returns whether any document matches
 * @throws UsageError with the server's message
 */
export async function hasMatch(
  commands: Pick<RawCommands, 'countMatching'>,
  filter: Uint8Array,
): Promise<boolean> {
  try {
    // Counts instead of finding: sampling and counting use $match, which knows fewer operators than find.
    return (await commands.countMatching(filter, 1)) > 0;
  } catch (error) {
    if (!(error instanceof MongoServerError) || !isAboutTheFilter(error)) throw error;
    throw new UsageError(`MongoDB refuses the filter: ${error.message}`, {
      code: 'FILTER_REFUSED',
      fix: 'correct FILTER.',
      cause: error,
    });
  }
}

/**
 * BadValue, FailedToParse, TypeMismatch, IndexNotFound (`$text` without a text index), NotImplemented (of the embedded
 * server), and the codes of single checks within mongod, which are above those of its state (13436 is the last).
 */
function isAboutTheFilter({ code }: MongoServerError): boolean {
  return [2, 9, 14, 27, 238].includes(Number(code)) || Number(code) > 15_000;
}
