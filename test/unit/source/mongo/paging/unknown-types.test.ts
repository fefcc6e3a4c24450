import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MongoServerError } from 'mongodb';
import { UnknownTypes } from '../../../../../src/source/mongo/paging/unknown-types.ts';

function refuse(alias: string): never {
  throw new MongoServerError({ message: `Unknown type name alias: ${alias}`, code: 2 });
}

describe('UnknownTypes', () => {
  it('omits types that the server does not know, and remembers them', async () => {
    const types = new UnknownTypes();
    const known = new Set(['int', 'string', 'objectId']);
    let asked = 0;
    const ask = (unknown: ReadonlySet<string>): Promise<string[]> => {
      asked++;
      const left = ['int', 'symbol', 'string', 'dbPointer'].filter((alias) => !unknown.has(alias));
      for (const alias of left) if (!known.has(alias)) refuse(alias);
      return Promise.resolve(left);
    };
    assert.deepEqual(await types.avoid(ask), ['int', 'string']);
    assert.equal(asked, 3);
    assert.deepEqual(await types.avoid(ask), ['int', 'string']);
    assert.equal(asked, 4);
  });

  it('retries if another reader has learned of the alias meanwhile', async () => {
    const types = new UnknownTypes();
    let answer: () => void = () => undefined;
    const answered = new Promise<void>((resolve) => (answer = resolve));
    let asked = 0;
    // As two readers do at a time: both have sent the query before either is refused.
    const ask = async (unknown: ReadonlySet<string>): Promise<string> => {
      if (++asked === 2) answer();
      if (unknown.has('symbol')) return 'page';
      await answered;
      return refuse('symbol');
    };
    assert.deepEqual(await Promise.all([types.avoid(ask), types.avoid(ask)]), ['page', 'page']);
    assert.equal(asked, 4);
  });

  it('fails on an alias that it does not use, or that is refused although it was omitted', async () => {
    const types = new UnknownTypes();
    await assert.rejects(
      types.avoid(() => refuse('strnig')),
      /strnig/,
    );
    await assert.rejects(
      types.avoid(() => refuse('symbol')),
      /symbol/,
    );
  });

  it('rethrows every other error', async () => {
    await assert.rejects(
      new UnknownTypes().avoid(() => Promise.reject(new Error('else'))),
      /else/,
    );
  });
});
