/** `--partitions`: a table by the hash of `_id`, whose keys and indexes are built partition by partition. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { ExitCode } from '../../../src/common/errors.ts';
import { setFailpoints } from '../../support/failpoints.ts';
import { act, assertCode, setScene, type Scene } from '../../support/fault.ts';
import { inline, setFollowScene } from '../../support/follow-scene.ts';

const four = { ...inline, PARTITIONS: '4' };

async function set(t: TestContext, count = 1_000): Promise<Scene> {
  return await setScene(t, count, 'inline');
}

/** `[partition, rows, key, indexes of the table that it has a part of]` of each. */
async function readPartitions(scene: Scene, table = 'things') {
  const parts = await scene.query<{ name: string; key: boolean; indexes: number }>(
    `SELECT c.relname AS name,
            EXISTS (SELECT FROM pg_index x JOIN pg_inherits h ON h.inhrelid = x.indexrelid
                     WHERE x.indrelid = c.oid AND x.indisprimary AND x.indisvalid) AS key,
            (SELECT count(*)::int FROM pg_index x JOIN pg_inherits h ON h.inhrelid = x.indexrelid
              WHERE x.indrelid = c.oid AND NOT x.indisprimary AND x.indisvalid) AS indexes
       FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = '${table}'::regclass ORDER BY 1`,
  );
  return await Promise.all(
    parts.map(async (part) => {
      const [counted] = await scene.query<{ rows: number }>(
        `SELECT count(*)::int AS rows FROM "${part.name}"`,
      );
      return { ...part, rows: counted?.rows ?? 0 };
    }),
  );
}

async function listIndexes(scene: Scene): Promise<string[]> {
  const rows = await scene.query<{ name: string }>(
    `SELECT relname || CASE WHEN indisvalid THEN '' ELSE ' (not valid)' END AS name
       FROM pg_index JOIN pg_class c ON c.oid = indexrelid WHERE indrelid = 'things'::regclass ORDER BY 1`,
  );
  return rows.map(({ name }) => name);
}

describe('--partitions', () => {
  it('has keys, and the possible indexes, on each partition and on the table; and all is equal', async (t) => {
    const scene = await set(t);
    await scene.collection.createIndex({ text: 1 });
    await scene.collection.createIndexes([{ key: { even: 1, _id: 1 }, unique: true }]);
    await scene.collection.createIndexes([{ key: { text: 1, even: 1 }, unique: true }]);
    const run = await scene.run(four, '--verify');
    assertCode(run, 0);
    assert.match(run.notices, /text_1_even_1.*a unique index of a table in partitions has to have _id/);
    assert.deepEqual(await listIndexes(scene), ['things_even_1__id_1', 'things_pkey', 'things_text_1']);
    const parts = await readPartitions(scene);
    assert.deepEqual(
      parts.map(({ name }) => name),
      ['things_p0', 'things_p1', 'things_p2', 'things_p3'],
    );
    for (const { key, indexes, rows } of parts) {
      assert.deepEqual([key, indexes], [true, 2]);
      assert.ok(rows > 150, `${rows} of 1,000 rows`);
    }
    await scene.assertEqual();
    assertCode(await scene.run({ ...inline }, 'verify'), 0);
    const summary = run.summary ?? assert.fail('there is a summary');
    assert.equal(summary.rowsAfter, 1_000);
    assert.deepEqual(summary.indexes.map(({ outcome }) => outcome).sort(), ['built', 'built', 'left']);
  });

  it('resumes after it was killed between the keys of two partitions, only with the same setting', async (t) => {
    const scene = await set(t);
    await scene.collection.createIndex({ text: 1 });
    const failpoints = await setFailpoints(t, { 'primary-in-partition-key': 'kill@3' });
    const killed = await act(scene.start({ ...four, INDEX_JOBS: '1', ...failpoints.env }), () => undefined);
    assert.equal(killed.signal, 'SIGKILL');
    const before = (
      await scene.query(`SELECT FROM pg_index WHERE indisprimary AND indrelid::regclass::text LIKE 'things%'`)
    ).length;
    assert.equal(before, 3, 'that of the whole, and of two partitions');
    const other = await scene.run({ ...inline, PARTITIONS: '8' });
    assertCode(other, ExitCode.usage);
    assert.match(other.stderr, /PARTITIONS was 4 and is now 8/);
    assertCode(await scene.run(four), 0);
    assert.deepEqual(await listIndexes(scene), ['things_pkey', 'things_text_1']);
    await scene.assertEqual();
  });

  it('has dead letters that can be retried; is truncated, appended to and dropped like any table', async (t) => {
    const scene = await set(t, 100);
    await scene.collection.updateOne({ _id: 7 as never }, { $set: { text: 'NUL \0' } });
    assertCode(await scene.run(four), ExitCode.deadLetters);
    await scene.assertEqual({ deadLetters: [7] });
    assertCode(await scene.run({ ...inline }, 'retry'), ExitCode.deadLetters);
    await scene.collection.updateOne({ _id: 7 as never }, { $set: { text: 'none' } });
    for (const ifExists of ['truncate', 'drop']) {
      assertCode(await scene.run({ ...four, IF_EXISTS: ifExists }, '--restart', '--verify'), 0);
      assert.equal((await readPartitions(scene)).length, 4);
      assert.deepEqual(await listIndexes(scene), ['things_pkey']);
    }
    assertCode(await scene.run({ ...inline, IF_EXISTS: 'drop' }, '--restart'), 0);
    assert.deepEqual(await readPartitions(scene), []);
  });

  it('is refused if the kept table has none, or others, and if a name is taken', async (t) => {
    const scene = await set(t, 10);
    assertCode(await scene.run({ ...inline }), 0);
    const env = { ...four, IF_EXISTS: 'truncate' };
    const whole = await scene.run(env, '--restart');
    assertCode(whole, ExitCode.target);
    assert.match(whole.stderr, /has no partitions by a hash, and PARTITIONS is 4 — leave PARTITIONS out/);
    assertCode(await scene.run({ ...four, IF_EXISTS: 'drop' }, '--restart'), 0);
    const others = await scene.run({ ...env, PARTITIONS: '8' }, '--restart');
    assert.match(others.stderr, /has 4 partitions, and PARTITIONS is 8/);
    assertCode(await scene.run({ ...inline, IF_EXISTS: 'drop' }, '--restart'), 0);
    await scene.client.query('CREATE TABLE things_p2 (a int)');
    const taken = await scene.run({ ...four, IF_EXISTS: 'drop' }, '--restart');
    assertCode(taken, ExitCode.target);
    assert.match(
      taken.stderr,
      /"public"\."things_p2" exists already, and a partition of "public"\."things" needs this name/,
    );
    await scene.assertEqual();
    for (const count of ['1', '257', 'x']) {
      const run = await scene.run({ ...inline, PARTITIONS: count });
      assertCode(run, ExitCode.usage);
      assert.match(run.stderr, /PARTITIONS.*2.*256/);
    }
  });

  it('has child rows in the partitions of the same number, with foreign keys to their parents', async (t) => {
    const scene = await set(t, 300);
    await scene.collection.updateMany({}, { $set: { lines: [{ sku: 'a' }, { sku: 'b' }] } });
    assertCode(await scene.run(four, '--schema', 'relational', '--verify'), 0);
    const [table] = await scene.query<{ name: string }>(
      `SELECT relname AS name FROM pg_class WHERE relkind = 'p' AND relname <> 'things'`,
    );
    const child = table?.name ?? assert.fail('there is a child table');
    const parts = await readPartitions(scene, child);
    assert.deepEqual(
      parts.map(({ name, key }) => [name, key]),
      [0, 1, 2, 3].map((n) => [`${child}_p${n}`, true]),
    );
    const rows = (await readPartitions(scene)).map((part) => part.rows * 2);
    assert.deepEqual(
      parts.map((part) => part.rows),
      rows,
    );
    await scene.client.query('DELETE FROM things WHERE _id < 100');
    assert.deepEqual(await scene.query(`SELECT count(*)::int AS count FROM "${child}"`), [{ count: 400 }]);
    assertCode(await scene.run({ ...four, IF_EXISTS: 'drop' }, '--schema', 'relational', '--restart'), 0);
  });

  it('is shown by a dry run, and works with promote', async (t) => {
    const scene = await set(t, 50);
    const dry = await scene.run(four, '--dry-run');
    assertCode(dry, 0);
    assert.match(dry.stdout, /PARTITION BY HASH .*things_p3/);
    assertCode(await scene.run(four, '--schema', 'document'), 0);
    assertCode(await scene.run({ ...inline }, 'promote', 'things', 'text', '--type', 'string'), 0);
    const rows = await scene.query(`SELECT FROM things WHERE text = 'text ' || _id`);
    assert.equal(rows.length, 50);
    assertCode(await scene.run({ ...inline }, 'verify'), 0);
  });

  it('is followed, and cut over', async (t) => {
    const scene = await setFollowScene(t, 200);
    const following = scene.follow({ ...four, VERIFY_SHARE: '0%' });
    await following.until('following');
    await scene.collection.updateMany({ _id: { $lt: 20 as never } }, { $set: { text: 'changed' } });
    await scene.collection.deleteMany({ _id: { $gte: 190 as never } });
    await scene.collection.insertOne({ _id: 500 as never, text: 'new', even: true });
    await scene.untilMerged(following);
    await scene.assertEqual();
    assertCode(await scene.run({ ...inline }, 'cutover', '--compare-all'), 0);
    const { code, stderr } = await following.result;
    assert.equal(code, 0, stderr);
    await scene.assertEqual();
    assert.equal((await readPartitions(scene)).length, 4);
  });
});
