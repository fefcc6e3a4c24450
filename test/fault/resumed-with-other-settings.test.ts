import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { ExitCode } from '../../src/common/errors.ts';
import { plainPool } from '../support/cli.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { assertCode, documentsOf, setScene, type Scene } from '../support/fault.ts';

async function setUnfinished(t: TestContext): Promise<Scene> {
  const scene = await setScene(t, undefined, plainPool);
  const failpoints = await setFailpoints(t, { 'primary-after-ack': 'kill@20' });
  assert.equal((await scene.run(failpoints.env)).signal, 'SIGKILL');
  return scene;
}

async function countCommitted(scene: Scene): Promise<number> {
  const [row] = await scene.query<{ count: number }>('SELECT count(*)::int AS count FROM things');
  return row?.count ?? 0;
}

describe('an unfinished run', () => {
  it('is not resumed for a recreated collection; --restart starts from scratch and reports what it removes', async (t) => {
    const scene = await setUnfinished(t);
    const committed = await countCommitted(scene);
    assert.ok(committed > 0);
    await scene.collection.drop();
    await scene.collection.insertMany(documentsOf(500, 10_000));
    const refused = await scene.run();
    assertCode(refused, ExitCode.usage);
    assert.match(
      refused.stderr,
      /run 1 .* was started with other settings: the collection .* was dropped and recreated/,
    );
    assert.equal(await countCommitted(scene), committed, 'and nothing was touched');
    const restarted = await scene.run({}, '--restart');
    assertCode(restarted, 0);
    assert.match(restarted.notices, /removed the table "public"\."things" \(run 1 .* rows, 0 dead letters\)/);
    await scene.assertEqual();
  });

  it('is not resumed when its table was dropped', async (t) => {
    const scene = await setUnfinished(t);
    await scene.query('DROP TABLE things');
    const refused = await scene.run();
    assertCode(refused, ExitCode.usage);
    assert.match(refused.stderr, /its table was dropped since/);
    assertCode(await scene.run({}, '--restart'), 0);
    await scene.assertEqual();
  });

  it('is not resumed with other settings of what is copied and how', async (t) => {
    const scene = await setUnfinished(t);
    const refused = await scene.run({ FILTER: '{"even": true}', NUL: 'strip' });
    assertCode(refused, ExitCode.usage);
    assert.match(refused.stderr, /FILTER was not set and is now \{"even":true\}/);
    assert.match(refused.stderr, /NUL was not set and is now strip/);
    assertCode(await scene.run(), 0);
    await scene.assertEqual();
  });

  it('is not resumed from another source', async (t) => {
    const scene = await setUnfinished(t);
    const other = await setScene(t, 10, plainPool);
    const refused = await scene.run({ MONGO_DB: other.env.MONGO_DB ?? '' });
    assertCode(refused, ExitCode.usage);
    assert.match(refused.stderr, /its source was \w+\.things and is now \w+\.things/);
    assertCode(await scene.run(), 0);
    await scene.assertEqual();
  });
});

describe('a finished run', () => {
  it('is run again only with --restart', async (t) => {
    const scene = await setScene(t, 100, plainPool);
    assertCode(await scene.run(), 0);
    for (const args of [[], ['--if-exists', 'append']]) {
      const again = await scene.run({}, ...args);
      assertCode(again, ExitCode.ok);
      assert.match(again.notices, /is copied already: run 1 .*: 100 rows, 0 dead letters; .*--restart/);
      const otherwise = await scene.run({ JSON_STYLE: 'plain' }, ...args);
      assertCode(otherwise, ExitCode.target);
      assert.match(
        otherwise.stderr,
        /already has the 100 rows of run 1 .*JSON_STYLE was not set and is now plain — .*--restart/,
      );
    }
    const compared = await scene.run({}, '--verify');
    assertCode(compared, ExitCode.ok);
    assert.match(compared.stdout, /"kind":"verified".*"equal":100/);
    await scene.assertEqual();
    await scene.collection.insertMany(documentsOf(10, 100));
    assertCode(await scene.run({}, '--restart'), 0);
    await scene.assertEqual();
  });

  it('that appended to existing rows cannot be restarted without them', async (t) => {
    const scene = await setScene(t, 100, plainPool);
    await scene.query(
      `CREATE TABLE things (_id integer, text text, even boolean, _extra jsonb); INSERT INTO things VALUES (-1, 'mine')`,
    );
    assertCode(await scene.run({}, '--if-exists', 'append'), 0);
    const refused = await scene.run({}, '--restart');
    assertCode(refused, ExitCode.usage);
    assert.match(refused.stderr, /added its rows to 1 existing rows/);
    assertCode(await scene.run({}, '--restart', '--if-exists', 'truncate'), 0);
    await scene.assertEqual();
  });
});
