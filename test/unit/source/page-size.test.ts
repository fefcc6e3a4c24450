import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { chooseLimit, wantedPageBytes } from '../../../src/source/page-size.ts';

const pageOf = (count: number, bytes: number) => ({
  count,
  documents: new Uint8Array(bytes),
  lastId: new Uint8Array(),
});

describe('chooseLimit', () => {
  it('asks for as many as are asked for where they are small', () => {
    assert.equal(chooseLimit(pageOf(10_000, 1_300_000), 10_000), 10_000);
    assert.equal(chooseLimit(pageOf(1, 100), 10_000), 10_000);
  });

  it('asks for as many as make a page of the wanted size where they are large', () => {
    assert.equal(chooseLimit(pageOf(1000, wantedPageBytes * 2), 10_000), 500);
    assert.equal(chooseLimit(pageOf(500, wantedPageBytes), 10_000), 500);
  });

  it('asks for one at least, however large it is', () => {
    assert.equal(chooseLimit(pageOf(1, wantedPageBytes * 4), 10_000), 1);
  });
});
