import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MongoServerError, type Collection } from 'mongodb';
import { UsageError } from '../../../src/errors.ts';
import { hasMatch } from '../../../src/source/filter-check.ts';

/** One whose server has this against any filter. */
function refusingCollection(code: number, message: string): Collection {
  const error = new MongoServerError({ message, code });
  return { countDocuments: () => Promise.reject(error) } as unknown as Collection;
}

describe('a filter that the server refuses', () => {
  // Bad value, a failed parse, $text without a text index, $near where it may not be.
  for (const code of [2, 9, 27, 5_626_500]) {
    it(`code ${code}: is told as a mistake in it, in the server's words`, async () => {
      await assert.rejects(
        hasMatch(refusingCollection(code, 'text index required for $text query'), {}, {}),
        (error) =>
          error instanceof UsageError &&
          error.code === 'FILTER_REFUSED' &&
          error.message === 'MongoDB refuses the filter: text index required for $text query',
      );
    });
  }

  it('is not blamed for what is about something else', async () => {
    await assert.rejects(hasMatch(refusingCollection(13, 'not authorized'), {}, {}), MongoServerError);
  });
});
