import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type pg from 'pg';
import type { Session } from '../../../../../src/postgres/connection/session.ts';
import {
  HostRangeQueue,
  type SharedRanges,
} from '../../../../../src/postgres/ledger/hosts/host-range-queue.ts';
import type { Range } from '../../../../../src/source/page.ts';

const client = {} as unknown as pg.Client;
const session = {
  run: <T>(work: (client: pg.Client) => Promise<T>) => work(client),
  transactionBegunBy: <T>(work: (client: pg.Client) => Promise<T>) => work(client),
} as unknown as Session;

/** Ranges of which the ledger lets a host take so many at a time. */
function makeRanges(waiting: number, share: number) {
  let taken = 0;
  const ranges = {
    beginTaking: () => Promise.resolve(share),
    take: (_client: pg.Client, count: number) => {
      const rangeNos = Array.from({ length: Math.min(count, waiting - taken) }, () => ++taken);
      return Promise.resolve(
        rangeNos.map((rangeNo): Range => ({ rangeNo, epoch: 1, after: null, until: null })),
      );
    },
    countLeft: () => Promise.resolve({ unread: 1, waiting: waiting - taken }),
  };
  return ranges as unknown as SharedRanges;
}

function takeAll(queue: HostRangeQueue, readers: number): Promise<(number | undefined)[]> {
  return Promise.all(Array.from({ length: readers }, async () => (await queue.take())?.rangeNo));
}

const never = (): boolean => false;

describe('the ranges of a host', () => {
  // Red where each reader gets one while there is one: with few ranges, hosts that join later have nothing to do.
  it('are no more at a time than its share of those that wait', async () => {
    const queue = new HostRangeQueue({ session, ranges: makeRanges(8, 2), waitsForAll: false });
    assert.deepEqual(await takeAll(queue, 4), [1, 2, undefined, undefined]);
  });

  it('are asked for again while some wait, also by a host that does not lead', async () => {
    const queue = new HostRangeQueue({ session, ranges: makeRanges(3, 2), waitsForAll: false });
    await takeAll(queue, 4);
    assert.equal(await queue.untilMore(never), true);
    assert.equal((await queue.take())?.rangeNo, 3);
    assert.equal(await queue.untilMore(never), false, 'only the leader waits for what others have taken');
  });
});
