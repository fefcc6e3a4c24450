/** Requests that are served together. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GroupedRequests } from '../../../src/common/grouped-requests.ts';

test('requests of one turn are served together, and later ones while they are served too', async () => {
  const served: number[] = [];
  const second: Promise<string | null>[] = [];
  const group = new GroupedRequests<string>((count) => {
    served.push(count);
    const call = served.length;
    if (call === 1) second.push(group.request(), group.request(), group.request());
    return Promise.resolve(Array.from({ length: count }, (_, index) => `${call}.${index + 1}`));
  });
  assert.deepEqual(await Promise.all([group.request(), group.request()]), ['1.1', '1.2']);
  assert.deepEqual(await Promise.all(second), ['2.1', '2.2', '2.3']);
  assert.deepEqual(served, [2, 3]);
});

test('who comes when there are no more results gets null', async () => {
  const results = ['a'];
  const group = new GroupedRequests((count) => Promise.resolve(results.splice(0, count)));
  assert.deepEqual(await Promise.all([group.request(), group.request()]), ['a', null]);
  assert.equal(await group.request(), null);
});

test('an error goes to all that were served together, and to none that comes later', async () => {
  let isBroken = true;
  const group = new GroupedRequests((count) =>
    isBroken
      ? Promise.reject(new Error('broken'))
      : Promise.resolve(Array.from({ length: count }, () => 'a')),
  );
  const settled = await Promise.allSettled([group.request(), group.request()]);
  assert.deepEqual(
    settled.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  isBroken = false;
  assert.equal(await group.request(), 'a');
});
