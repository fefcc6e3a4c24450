import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { chooseLimit, wantedPageBytes } from '../../../../../src/source/mongo/paging/page-size.ts';

const seen = (documentCount: number, bytes: number) => ({ documentCount, bytes });

describe('chooseLimit', () => {
  it('requests the maximum for small documents', () => {
    assert.equal(chooseLimit(seen(10_000, 1_300_000), 10_000), 10_000);
    assert.equal(chooseLimit(seen(1, 100), 10_000), 10_000);
  });

  it('requests as many as fill a page for large documents', () => {
    assert.equal(chooseLimit(seen(1000, wantedPageBytes * 2), 10_000), 500);
    assert.equal(chooseLimit(seen(500, wantedPageBytes), 10_000), 500);
  });

  it('requests few before any document was seen', () => {
    assert.equal(chooseLimit(null, 10_000), 1000);
    assert.equal(chooseLimit(seen(0, 0), 10_000), 1000);
    assert.equal(chooseLimit(null, 10), 10);
  });

  it('requests one at least, however large it is', () => {
    assert.equal(chooseLimit(seen(1, wantedPageBytes * 4), 10_000), 1);
  });
});
