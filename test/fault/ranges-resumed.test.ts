import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { plainPool } from '../support/cli.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { act, assertCode, documentsOf, setScene, type Scene } from '../support/fault.ts';

/** Ranges that have batches, and what of each is committed. */
async function readRanges(
  scene: Scene,
): Promise<{ rangeNo: number; documents: number; isClosed: boolean }[]> {
  return await scene.query(
    `SELECT range_no AS "rangeNo", sum(b.documents)::int AS documents, r.closed_at IS NOT NULL AS "isClosed"
       FROM mongo2pg.ranges r JOIN mongo2pg.batches b USING (run_id, range_no)
      GROUP BY 1, r.closed_at ORDER BY 1`,
  );
}

async function readBatches(scene: Scene): Promise<string[]> {
  const rows = await scene.query<{ key: string }>(
    "SELECT range_no || ' ' || batch || ' ' || xmin AS key FROM mongo2pg.batches ORDER BY range_no, batch",
  );
  return rows.map(({ key }) => key);
}

async function assertLeftAlone(scene: Scene, committed: readonly string[]): Promise<void> {
  const now = new Set(await readBatches(scene));
  assert.deepEqual(
    committed.filter((batch) => !now.has(batch)),
    [],
    'what was committed was not touched',
  );
}

/** A start with one reader and one connection, which commits in order: killed, it leaves one gap. */
const inOrder = { READ_RANGES: '1', CLUSTER_SIZE: '1' } as const;

/**
 * For a start that splits the range of another reader: that reader is delayed, as it would otherwise finish before the others
 * have their sample of a slow source.
 */
const heldBack = { 'primary-after-ack': 'pause' } as const;

describe('a run in several ranges', () => {
  it('killed with several partly read: resumes within each, with other numbers of readers', async (t) => {
    const scene = await setScene(t, undefined, plainPool);
    const failpoints = await setFailpoints(t, { 'primary-after-ack': 'kill@12' });
    const killed = await scene.run({ ...failpoints.env, READ_RANGES: '3' });
    assert.equal(killed.signal, 'SIGKILL');
    const ranges = await readRanges(scene);
    assert.ok(ranges.length >= 3, `${ranges.length} ranges have batches`);
    assert.ok(ranges.some(({ documents }) => documents < 3_000 / 6));
    const committed = await readBatches(scene);
    const second = await scene.run({ READ_RANGES: '2', ITEMS_PER_PAGE: '70' });
    assertCode(second, 0);
    assert.match(second.notices, /continuing run 1 .* [1-9]\d* gaps to read/);
    await assertLeftAlone(scene, committed);
    await scene.assertEqual();
  });

  it('the gap of one reader is split among several; killed in between, each part is finished', async (t) => {
    const scene = await setScene(t, undefined, plainPool);
    const first = await setFailpoints(t, { 'primary-after-ack': 'kill@5' });
    assert.equal((await scene.run({ ...first.env, ...inOrder })).signal, 'SIGKILL');
    assert.equal((await readRanges(scene)).length, 1);
    const second = await setFailpoints(t, { ...heldBack, 'primary-after-split': 'kill@2' });
    const killed = await scene.run({ ...second.env, READ_RANGES: '3' });
    assert.equal(killed.signal, 'SIGKILL', killed.stderr);
    assert.match(killed.notices, /\b1 gap to read/);
    // The range of the first start is closed: its gap became a new range, which was split twice.
    const opened = await scene.query('SELECT FROM mongo2pg.ranges WHERE closed_at IS NULL');
    assert.equal(opened.length, 1 + 2);
    const committed = await readBatches(scene);
    const third = await scene.run({ READ_RANGES: '3' });
    assertCode(third, 0);
    await assertLeftAlone(scene, committed);
    await scene.assertEqual();
  });

  it('superseded while it splits: ends, and changes no range of the other', async (t) => {
    const scene = await setScene(t, undefined, plainPool);
    const first = await setFailpoints(t, { 'primary-after-ack': 'kill@5' });
    assert.equal((await scene.run({ ...first.env, ...inOrder })).signal, 'SIGKILL');
    const paused = await setFailpoints(t, { ...heldBack, 'primary-after-split': 'pause' });
    const running = act(scene.start({ ...paused.env, READ_RANGES: '3' }), () => undefined);
    await paused.waitUntilFired('primary-after-split');
    await scene.query('UPDATE mongo2pg.runs SET epoch = epoch + 1');
    await paused.resume('primary-after-split');
    await paused.resume('primary-after-ack');
    assert.match((await running).stderr, /another process has taken this run over/);
    assertCode(await scene.run(), 0);
    await scene.assertEqual();
  });

  it('documents inserted and deleted in every range meanwhile: the others are copied once', async (t) => {
    const scene = await setScene(t, undefined, plainPool);
    await scene.collection.deleteMany({ even: false });
    const failpoints = await setFailpoints(t, { 'primary-after-ack': 'pause@3' });
    const running = scene.run({ ...failpoints.env, READ_RANGES: '3' });
    await failpoints.waitUntilFired('primary-after-ack');
    const all = documentsOf(3_000);
    await scene.collection.insertMany(all.filter(({ even }) => !even));
    // Some of them are ids at which ranges were cut.
    const deleted = all.filter((_, index) => index % 6 === 0);
    await scene.collection.deleteMany({ _id: { $in: deleted.map(({ _id }) => _id) } });
    await failpoints.resume('primary-after-ack');
    assertCode(await running, 0);
    const rows = await scene.query<{ id: number }>('SELECT _id AS id FROM things');
    const ids = new Set(rows.map(({ id }) => id));
    assert.equal(ids.size, rows.length, 'none is there twice');
    const stayed = all.filter((document) => document.even && !deleted.includes(document));
    const missing = stayed.filter(({ _id }) => !ids.has(Number(_id)));
    assert.deepEqual(missing, []);
  });
});
