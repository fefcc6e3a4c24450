import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { deserialize, serialize } from 'bson';
import { claimStatement } from '../../../src/postgres/claim.ts';
import { takeOverRun } from '../../../src/postgres/lead.ts';
import {
  readGaps,
  readNextBatch,
  replaceRanges,
  splitRange,
  type RangeEnds,
} from '../../../src/postgres/ranges.ts';
import { beginRun, type OpenRun } from '../../../src/postgres/run-opening.ts';
import { Session } from '../../../src/postgres/session.ts';
import type { Range } from '../../../src/reading/range-reading.ts';
import { makePlan } from '../../support/raw-bson.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';

const plan = makePlan({ _id: 'int32', text: 'string' });
const settings = { source: plan.collection, collectionId: null, choices: {}, plan };

/** An `_id` for people: null is the beginning, or the end. */
type Id = number | null;

function toId(id: Id): Buffer | null {
  return id === null ? null : Buffer.from(serialize({ _id: id }));
}

function fromId(id: Uint8Array | null): Id {
  return id === null ? null : (deserialize(id)._id as number);
}

/** `[rangeNo, afterId, untilId]` of each. */
function show(ranges: readonly Range[]): [number, Id, Id][] {
  return ranges.map(({ rangeNo, afterId, untilId }) => [rangeNo, fromId(afterId), fromId(untilId)]);
}

function endsOf(ends: Readonly<Record<number, Id>>): RangeEnds {
  return new Map(Object.entries(ends).map(([rangeNo, id]) => [Number(rangeNo), toId(id)]));
}

describe('the ranges of a run', () => {
  let sandbox: Sandbox;
  let session: Session;
  let run: OpenRun;
  before(async () => {
    sandbox = await createSandbox();
    session = await Session.open({
      url: sandbox.postgresUrl,
      applicationName: 'mongo2pg primary',
      retryLimitMs: 0,
      answerTimeoutMs: 60_000,
    });
  });
  after(async () => {
    await session.close();
    await sandbox.remove();
  });
  beforeEach(async () => {
    run = await beginRun(session, settings, 'drop', null);
  });

  /** Commits batches of ten documents each, whose last `_id` is a multiple of ten. */
  async function commit(
    rangeNo: number,
    firstNumber: number,
    ...links: (readonly [after: Id, last: number])[]
  ) {
    for (const [after, last] of links) {
      const number = firstNumber + last - 10;
      const lastId = Buffer.from(serialize({ _id: last }));
      const batch = { number, rangeNo, count: 10, documents: Buffer.alloc(1), afterId: toId(after), lastId };
      const account = { documents: 10, copied: 10, deadLettered: 0, extra: [], childRows: 0 };
      await session.run((client) => client.query(claimStatement(run, batch, account)));
    }
  }

  async function gaps(ends: Readonly<Record<number, Id>> = {}): Promise<[number, Id, Id][]> {
    return show(await session.run((client) => readGaps(client, run.runId, endsOf(ends))));
  }

  async function replace(...ranges: [after: Id, until: Id][]): Promise<[number, Id, Id][]> {
    const wanted = ranges.map(([after, until]) => ({
      rangeNo: 0,
      afterId: toId(after),
      untilId: toId(until),
    }));
    return show(await session.transaction((client) => replaceRanges(client, run.runId, wanted)));
  }

  const whole = [
    [null, 10],
    [10, 20],
    [20, 30],
    [30, 40],
  ] as const;
  const without = (...left: readonly number[]) => whole.filter(([, last]) => !left.includes(last));

  it('nothing committed: all is a gap, whether or not the reader came to an end', async () => {
    assert.deepEqual(await gaps(), [[1, null, null]]);
    assert.deepEqual(await gaps({ 1: 40 }), [[1, null, null]]);
  });

  it('the reader came to the end and found nothing: no gap', async () => {
    assert.deepEqual(await gaps({ 1: null }), []);
  });

  it('all committed: no gap after a reader that came to the end, else what was never read', async () => {
    await commit(1, 1, ...whole);
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
      await commit(1, 1, ...without(...left));
      assert.deepEqual(await gaps({ 1: 40 }), expected);
    });
  }

  it('batches may be committed in any order', async () => {
    await commit(1, 1, ...without(20).reverse());
    assert.deepEqual(await gaps({ 1: 40 }), [[1, 10, 20]]);
  });

  it('a range with an end has a tail until its last document is committed', async () => {
    assert.deepEqual(await replace([null, 20]), [[2, null, 20]]);
    assert.deepEqual(await gaps(), [[2, null, 20]]);
    await commit(2, 101, [null, 10]);
    assert.deepEqual(await gaps(), [[2, 10, 20]]);
    await commit(2, 101, [10, 20]);
    assert.deepEqual(await gaps(), []);
  });

  it('a range whose last documents are gone from the source ends where its reader did', async () => {
    await replace([null, 20]);
    await commit(2, 101, [null, 10]);
    assert.deepEqual(await gaps({ 2: 10 }), []);
    assert.deepEqual(await gaps({ 2: 15 }), [[2, 10, 20]]);
  });

  it('several ranges have each their own gaps; those given up have none', async () => {
    await commit(1, 1, [10, 20]);
    const opened = await replace([null, 10], [20, null]);
    assert.deepEqual(opened, [
      [2, null, 10],
      [3, 20, null],
    ]);
    await commit(3, 101, [20, 30], [40, 50]);
    assert.deepEqual(await gaps({ 2: 10, 3: 50 }), [
      [2, null, 10],
      [3, 30, 40],
    ]);
    await commit(2, 201, [null, 10]);
    assert.deepEqual(await gaps({ 3: 50 }), [[3, 30, 40]]);
    assert.deepEqual(await replace([30, 40]), [[4, 30, 40]]);
    await commit(4, 301, [30, 40]);
    assert.deepEqual(await gaps(), []);
    assert.deepEqual(await replace(), []);
    assert.deepEqual(await gaps(), []);
  });

  it('a range that is split ends at the cut, and another has the rest; each has its own gaps', async () => {
    await commit(1, 1, [null, 10]);
    const split = (rangeNo: number, until: Id, cut: number) =>
      session.transaction((client) =>
        splitRange(client, run, { rangeNo, untilId: toId(until) }, toId(cut) ?? Buffer.alloc(0)),
      );
    assert.deepEqual(show([await split(1, null, 30)]), [[2, 30, null]]);
    assert.deepEqual(show([await split(1, 30, 20)]), [[3, 20, 30]]);
    assert.deepEqual(await gaps(), [
      [1, 10, 20],
      [2, 30, null],
      [3, 20, 30],
    ]);
    await commit(1, 1, [10, 20]);
    await commit(2, 101, [30, 40]);
    assert.deepEqual(await gaps({ 1: 20, 2: 40 }), [[3, 20, 30]]);
    // As after a COMMIT whose answer was lost.
    assert.deepEqual(show([await split(1, 30, 20)]), [[3, 20, 30]]);
    assert.deepEqual(await gaps({ 1: 20, 2: 40 }), [[3, 20, 30]]);
    await assert.rejects(split(9, null, 50), /no range 9/);
  });

  it('a range is not split by a process that does not lead the run any more', async () => {
    const overtaken = { ...run };
    await session.transaction((client) => takeOverRun(client, run.runId));
    const cut = toId(10) ?? Buffer.alloc(0);
    await assert.rejects(
      session.transaction((client) => splitRange(client, overtaken, { rangeNo: 1, untilId: null }, cut)),
      /another process has taken this run over/,
    );
    assert.deepEqual(await gaps(), [[1, null, null]]);
  });

  it('a run begins with a range for each interval', async () => {
    const intervals = [
      { afterId: null, untilId: toId(10) },
      { afterId: toId(10), untilId: null },
    ];
    run = await beginRun(session, settings, 'drop', null, intervals);
    assert.deepEqual(show(run.ranges), [
      [1, null, 10],
      [2, 10, null],
    ]);
    assert.deepEqual(await gaps(), show(run.ranges));
    // The first has nothing to read, the second ends before the last that was handed over is committed.
    await commit(2, 1, [10, 20]);
    assert.deepEqual(await gaps({ 1: null, 2: 30 }), [[2, 20, null]]);
    assert.deepEqual(await gaps({ 1: null, 2: 20 }), []);
  });

  it('batches of another run do not count', async () => {
    await commit(1, 1, ...whole);
    run = await beginRun(session, settings, 'drop', null);
    assert.deepEqual(await gaps({ 1: 40 }), [[1, null, null]]);
    assert.equal(await session.run((client) => readNextBatch(client, run.runId)), 1);
  });

  it('the next batch comes after all documents that were committed, with room for those of a hole', async () => {
    const next = () => session.run((client) => readNextBatch(client, run.runId));
    assert.equal(await next(), 1);
    await commit(1, 1, [10, 20], [30, 40]);
    assert.equal(await next(), 41);
  });
});
