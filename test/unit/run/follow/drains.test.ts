import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type pg from 'pg';
import { Announcements } from '../../../../src/common/announcements.ts';
import type { Session } from '../../../../src/postgres/connection/session.ts';
import { Drains } from '../../../../src/run/follow/drains.ts';
import type { Changes } from '../../../../src/source/changes.ts';
import { TickingClock } from '../../../support/ticking-clock.ts';

/** Its answer is away for a time, and the server takes a part of that to count. */
function makeSession(clock: TickingClock, awayMs: number, tookMs: number) {
  let counts = 0;
  const client = {
    query: () => {
      counts++;
      clock.pass(awayMs);
      return Promise.resolve({ rows: [{ tookMs, oldest: null }] });
    },
  } as unknown as pg.Client;
  const session = {
    run: <T>(work: (client: pg.Client) => Promise<T>) => work(client),
  } as unknown as Session;
  return { session, countsSoFar: () => counts };
}

function makeDrains(session: Session, clock: TickingClock): Drains {
  return new Drains({
    ...{ session, clock, streamId: '1', filter: undefined, news: new Announcements() },
    ...{ changes: {} as Changes, signal: new AbortController().signal, parallel: () => 1 },
  });
}

describe('the number of pending changes', () => {
  // Red where all of the time until the answer counts: it pauses for ten times as long.
  it('is counted again soon after the process was suspended, or the server was away', async () => {
    const clock = new TickingClock();
    const { session, countsSoFar } = makeSession(clock, 5_000, 1);
    const drains = makeDrains(session, clock);
    await drains.pump();
    assert.equal(countsSoFar(), 1);
    clock.pass(200);
    await drains.pump();
    assert.equal(countsSoFar(), 2);
  });

  it('is counted in a tenth of the time at most', async () => {
    const clock = new TickingClock();
    const { session, countsSoFar } = makeSession(clock, 100, 100);
    const drains = makeDrains(session, clock);
    await drains.pump();
    clock.pass(999);
    await drains.pump();
    assert.equal(countsSoFar(), 1);
    clock.pass(1);
    await drains.pump();
    assert.equal(countsSoFar(), 2);
  });
});
