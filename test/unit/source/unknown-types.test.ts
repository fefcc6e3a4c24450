import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MongoServerError } from 'mongodb';
import { UnknownTypes } from '../../../src/source/unknown-types.ts';

function refuse(alias: string): never {
  throw new MongoServerError({ message: `Unknown type name alias: ${alias}`, code: 2 });
}

describe('UnknownTypes', () => {
  it('leaves out what the server does not know, and remembers it', async () => {
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

  it('gives up on an alias that is not one of ours, or is asked for nonetheless', async () => {
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

  it('hands on every other error', async () => {
    await assert.rejects(
      new UnknownTypes().avoid(() => Promise.reject(new Error('else'))),
      /else/,
    );
  });
});
