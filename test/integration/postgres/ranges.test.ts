import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { deserialize, serialize } from 'bson';
import { createLedgerClaim } from '../../../src/postgres/ledger/claim.ts';
import { closePostgres, connectPostgres } from '../../../src/postgres/connection/connection.ts';
import { takeOverRun } from '../../../src/postgres/ledger/leadership.ts';
import {
  finishRange,
  readGaps,
  replaceRanges,
  splitRange,
  type Gap,
} from '../../../src/postgres/ledger/ranges.ts';
import { beginRun, type OpenRun } from '../../../src/postgres/table/run-opening.ts';
import type { Session } from '../../../src/postgres/connection/session.ts';
import { endOrphanedSessions } from '../../../src/postgres/connection/orphaned-sessions.ts';
import type { Batch } from '../../../src/source/page.ts';
import { waitUntil } from '../../support/embedded.ts';
import { makePlan } from '../../support/raw-bson.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';
import { openSession } from '../../support/session.ts';

const plan = makePlan({ _id: 'int32', text: 'string' });
const settings = { source: plan.collection, collectionId: null, choices: {}, plan };

/** A readable `_id`: null is the beginning, or the end. */
type Id = number | null;

function toId(id: Id): Buffer | null {
  return id === null ? null : Buffer.from(serialize({ _id: id }));
}

function fromId(id: Uint8Array | null): Id {
  return id === null ? null : (deserialize(id)._id as number);
}

/** `[rangeNo, after, until]` of each. */
function show(ranges: readonly Gap[]): [number, Id, Id][] {
  return ranges.map(({ rangeNo, after, until }) => [rangeNo, fromId(after), fromId(until)]);
}

const account = {
  documentCount: 10,
  copied: 10,
  deadLettered: 0,
  dropped: 0,
  addedRows: 0,
  extra: [],
  childRows: 0,
};

function batchOf(rangeNo: number, after: Id, lastId: number): Batch {
  const last = Buffer.from(serialize({ _id: lastId }));
  const place = { rangeNo, epoch: 1, number: lastId - 9, after: toId(after), last };
  return { ...place, documentCount: 10, bytes: Buffer.alloc(1) };
}

describe('the ranges of a run', () => {
  let sandbox: Sandbox;
  let session: Session;
  let run: OpenRun;
  before(async () => {
    sandbox = await createSandbox();
    session = await openSession(sandbox);
  });
  after(async () => {
    await session.close();
    await sandbox.remove();
  });
  beforeEach(async () => {
    run = await beginRun(session, settings, 'drop', null);
  });

  /** Commits batches of ten documents each, whose last `_id` is a multiple of ten. */
  async function commit(rangeNo: number, ...links: (readonly [after: Id, last: number])[]) {
    for (const [after, last] of links) {
      const statement = createLedgerClaim(run.runId, 'things').statement(
        batchOf(rangeNo, after, last),
        account,
      );
      await session.run((client) => client.query(statement));
    }
  }

  /** The gaps after readers came to these ends, by range. */
  async function gaps(
    ends: Readonly<Record<number, Id>> = {},
    trustsEnds = true,
  ): Promise<[number, Id, Id][]> {
    await sandbox.client.query('UPDATE mongo2pg.ranges SET read_at = NULL, last_id = NULL');
    for (const [rangeNo, id] of Object.entries(ends)) {
      const range = { rangeNo: Number(rangeNo), epoch: 1 };
      await session.run((client) => finishRange(client, run.runId, range, toId(id)));
    }
    return show(await session.run((client) => readGaps(client, run.runId, trustsEnds)));
  }

  async function replace(...ranges: [after: Id, until: Id][]): Promise<[number, Id, Id][]> {
    const wanted = ranges.map(([after, until]) => ({ after: toId(after), until: toId(until) }));
    return show(await session.transaction((client) => replaceRanges(client, run.runId, wanted)));
  }

  const whole = [
    [null, 10],
    [10, 20],
    [20, 30],
    [30, 40],
  ] as const;
  const without = (...left: readonly number[]) => whole.filter(([, last]) => !left.includes(last));

  it('nothing committed: all is a gap, whether or not the reader reached the end', async () => {
    assert.deepEqual(await gaps(), [[1, null, null]]);
    assert.deepEqual(await gaps({ 1: 40 }), [[1, null, null]]);
  });

  it('the reader reached the end and found nothing: no gap', async () => {
    assert.deepEqual(await gaps({ 1: null }), []);
  });

  it('all committed: no gap after a reader that reached the end, otherwise what was never read', async () => {
    await commit(1, ...whole);
    assert.deepEqual(await gaps({ 1: 40 }), []);
    assert.deepEqual(await gaps(), [[1, 40, null]]);
  });

  const holes: readonly [what: string, left: number[], expected: [number, Id, Id][]][] = [
    ['at the beginning', [10], [[1, null, 10]]],
    ['in the middle', [20], [[1, 10, 20]]],
    ['of two batches', [20, 30], [[1, 10, 30]]],
    ['at the end', [40], [[1, 30, null]]],
    ['of the last two', [30, 40], [[1, 20, null]]],
    ['of all but the last', [10, 20, 30], [[1, null, 30]]],
    [
      'in several places',
      [10, 30],
      [
        [1, null, 10],
        [1, 20, 30],
      ],
    ],
    [
      'at both ends',
      [10, 40],
      [
        [1, null, 10],
        [1, 30, null],
      ],
    ],
  ];
  for (const [what, left, expected] of holes) {
    it(`a hole ${what} is found, in the order of the documents`, async () => {
      await commit(1, ...without(...left));
      assert.deepEqual(await gaps({ 1: 40 }), expected);
    });
  }

  it('batches may be committed in any order', async () => {
    await commit(1, ...without(20).reverse());
    assert.deepEqual(await gaps({ 1: 40 }), [[1, 10, 20]]);
  });

  it('a range with an end has a tail until its last document is committed', async () => {
    assert.deepEqual(await replace([null, 20]), [[2, null, 20]]);
    assert.deepEqual(await gaps(), [[2, null, 20]]);
    await commit(2, [null, 10]);
    assert.deepEqual(await gaps(), [[2, 10, 20]]);
    await commit(2, [10, 20]);
    assert.deepEqual(await gaps(), []);
  });

  it('a range whose last documents were deleted from the source ends where its reader did', async () => {
    await replace([null, 20]);
    await commit(2, [null, 10]);
    assert.deepEqual(await gaps({ 2: 10 }), []);
    assert.deepEqual(await gaps({ 2: 15 }), [[2, 10, 20]]);
  });

  it('each of several ranges has its own gaps; closed ones have none', async () => {
    await commit(1, [10, 20]);
    const opened = await replace([null, 10], [20, null]);
    assert.deepEqual(opened, [
      [2, null, 10],
      [3, 20, null],
    ]);
    await commit(3, [20, 30], [40, 50]);
    assert.deepEqual(await gaps({ 2: 10, 3: 50 }), [
      [2, null, 10],
      [3, 30, 40],
    ]);
    await commit(2, [null, 10]);
    assert.deepEqual(await gaps({ 3: 50 }), [[3, 30, 40]]);
    assert.deepEqual(await replace([30, 40]), [[4, 30, 40]]);
    await commit(4, [30, 40]);
    assert.deepEqual(await gaps(), []);
    assert.deepEqual(await replace(), []);
    assert.deepEqual(await gaps(), []);
  });

  it('a range that is split ends at the cut, and another has the rest; each has its own gaps', async () => {
    await commit(1, [null, 10]);
    const split = (rangeNo: number, until: Id, cut: number) =>
      session.transaction((client) =>
        splitRange(client, run, { rangeNo, epoch: 1, until: toId(until) }, toId(cut) ?? Buffer.alloc(0)),
      );
    assert.deepEqual(show([await split(1, null, 30)]), [[2, 30, null]]);
    assert.deepEqual(show([await split(1, 30, 20)]), [[3, 20, 30]]);
    assert.deepEqual(await gaps(), [
      [1, 10, 20],
      [2, 30, null],
      [3, 20, 30],
    ]);
    await commit(1, [10, 20]);
    await commit(2, [30, 40]);
    assert.deepEqual(await gaps({ 1: 20, 2: 40 }), [[3, 20, 30]]);
    // As after a COMMIT whose answer was lost.
    assert.deepEqual(show([await split(1, 30, 20)]), [[3, 20, 30]]);
    assert.deepEqual(await gaps({ 1: 20, 2: 40 }), [[3, 20, 30]]);
    await assert.rejects(split(9, null, 50), /no range 9/);
  });

  it('a range is not split by a process that no longer leads the run', async () => {
    const superseded = { ...run };
    await session.transaction((client) => takeOverRun(client, run.runId));
    const cut = toId(10) ?? Buffer.alloc(0);
    await assert.rejects(
      session.transaction((client) =>
        splitRange(client, superseded, { rangeNo: 1, epoch: 1, until: null }, cut),
      ),
      /another process has taken this run over/,
    );
    assert.deepEqual(await gaps(), [[1, null, null]]);
  });

  it('a run begins with a range for each interval', async () => {
    const intervals = [
      { after: null, until: toId(10) },
      { after: toId(10), until: null },
    ];
    run = await beginRun(session, settings, 'drop', null, intervals);
    assert.deepEqual(show(run.ranges), [
      [1, null, 10],
      [2, 10, null],
    ]);
    assert.deepEqual(await gaps(), show(run.ranges));
    // The first has nothing to read, the second ends before the last dispatched batch is committed.
    await commit(2, [10, 20]);
    assert.deepEqual(await gaps({ 1: null, 2: 30 }), [[2, 20, null]]);
    assert.deepEqual(await gaps({ 1: null, 2: 20 }), []);
  });

  it('batches of another run do not count', async () => {
    await commit(1, ...whole);
    run = await beginRun(session, settings, 'drop', null);
    assert.deepEqual(await gaps({ 1: 40 }), [[1, null, null]]);
  });

  it('the end of a range that another process has recorded is read again', async () => {
    await commit(1, ...whole);
    assert.deepEqual(await gaps({ 1: 40 }, false), [[1, 40, null]]);
    assert.deepEqual(await gaps({ 1: null }, false), [[1, 40, null]]);
  });

  it('batches have the same number in several ranges, and each once', async () => {
    await replace([null, 20], [20, null]);
    await commit(2, [null, 10]);
    await commit(3, [null, 10]);
    await assert.rejects(commit(3, [null, 10]), /duplicate key/);
  });

  it('a closed range accepts no batch and no end, and the others do', async () => {
    await replace([null, 20], [20, null]);
    await sandbox.client.query('UPDATE mongo2pg.ranges SET epoch = 2 WHERE range_no = 2');
    await assert.rejects(commit(2, [null, 10]), (error) => {
      assert.throws(
        () => createLedgerClaim(run.runId, 'things').isTaken(error),
        /another process has taken this run over/,
      );
      return true;
    });
    const finish = (rangeNo: number) =>
      session.run((client) => finishRange(client, run.runId, { rangeNo, epoch: 1 }, toId(20)));
    await assert.rejects(finish(2), /another process has taken this run over/);
    await commit(3, [20, 30]);
    await finish(3);
    await replace();
    await assert.rejects(commit(3, [30, 40]), 'as are closed ones');
  });

  it('a worker that claims a batch while its range is closed waits, and is refused', async () => {
    const worker = await connectPostgres(sandbox.postgresUrl, 'mongo2pg worker');
    try {
      let claiming: Promise<unknown> = Promise.resolve();
      await session.transaction(async (client) => {
        await endOrphanedSessions(client, run.runId);
        await replaceRanges(client, run.runId, []);
        claiming = worker.client.query(
          createLedgerClaim(run.runId, 'things').statement(batchOf(1, null, 10), account),
        );
        claiming.catch(() => undefined);
        await waitUntil('the worker waits', async () => {
          const { rowCount } = await sandbox.client.query(
            `SELECT FROM pg_stat_activity WHERE datname = current_database()
                AND application_name = 'mongo2pg worker' AND wait_event_type = 'Lock'`,
          );
          return rowCount === 1;
        });
      });
      await assert.rejects(claiming, (error) => {
        assert.throws(
          () => createLedgerClaim(run.runId, 'things').isTaken(error),
          /another process has taken this run over/,
        );
        return true;
      });
    } finally {
      await closePostgres(worker);
    }
  });

  it('a range is split while a worker has a batch of it in flight', async () => {
    const worker = await connectPostgres(sandbox.postgresUrl, 'mongo2pg worker');
    try {
      await worker.client.query('BEGIN');
      await commit(1, [null, 10]);
      await worker.client.query(
        createLedgerClaim(run.runId, 'things').statement(batchOf(1, 10, 20), account),
      );
      const cut = toId(30) ?? Buffer.alloc(0);
      await session.transaction((client) =>
        splitRange(client, run, { rangeNo: 1, epoch: 1, until: null }, cut),
      );
      await worker.client.query('COMMIT');
    } finally {
      await closePostgres(worker);
    }
    assert.deepEqual(await gaps(), [
      [1, 20, 30],
      [2, 30, null],
    ]);
  });
});
