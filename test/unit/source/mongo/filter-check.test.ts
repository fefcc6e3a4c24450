import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { serialize } from 'bson';
import { MongoServerError } from 'mongodb';
import { UsageError } from '../../../../src/common/errors.ts';
import { hasMatch } from '../../../../src/source/mongo/filter-check.ts';

/** Its server refuses any filter with this error. */
function refusing(code: number, message: string): Parameters<typeof hasMatch>[0] {
  const error = new MongoServerError({ message, code });
  return { countMatching: () => Promise.reject(error) };
}

const everything = serialize({});

describe('a filter that the server refuses', () => {
  // Bad value, a failed parse, $text without a text index, $near where it may not be.
  for (const code of [2, 9, 27, 5_626_500]) {
    it(`code ${code}: is reported as a mistake in it, with the server's message`, async () => {
      await assert.rejects(
        hasMatch(refusing(code, 'text index required for $text query'), everything),
        (error) =>
          error instanceof UsageError &&
          error.code === 'FILTER_REFUSED' &&
          error.message === 'MongoDB refuses the filter: text index required for $text query',
      );
    });
  }

  it('is not blamed for other errors', async () => {
    await assert.rejects(hasMatch(refusing(13, 'not authorized'), everything), MongoServerError);
  });
});
