/** Work after a promote uses the new plan: retried dead letters, merged changes, a second promote. */

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { ExitCode } from '../../../src/common/errors.ts';
import { promote, status } from '../../../src/index.ts';
import { makeDirectory } from '../../support/embedded.ts';
import { assertCode } from '../../support/fault.ts';
import { inline, setFollowScene } from '../../support/follow-scene.ts';
import { idOnly, setPromoteScene, withColumns } from '../../support/promote.ts';

describe('after a promote', () => {
  it('dead letters are loaded with the column, and fields can be promoted after that', async (t) => {
    const documents = [
      { _id: 1, name: 'a', nick: 'one', age: 1 },
      { _id: 2, nick: 'two', age: 2 },
      { _id: 3, name: 'c', nick: 3 },
    ];
    const scene = await setPromoteScene(t, documents);
    const plan = withColumns({ column: 'name', path: 'name', type: 'string', notNull: true });
    assert.equal((await scene.copy(plan)).code, ExitCode.deadLetters);
    assert.equal((await scene.promoted('things', 'nick', '--type', 'string')).promoted, 1);
    await scene.assertVerified();
    await scene.client.query('ALTER TABLE things ALTER name DROP NOT NULL');
    const retried = await scene.run('retry', '--source', scene.dump);
    assert.equal(retried.code, ExitCode.ok, retried.stderr);
    await scene.assertVerified();
    assert.equal((await scene.promoted('things', 'age')).promoted, 2);
    await scene.assertVerified();
    assert.deepEqual(await scene.rows(), [
      { _id: 1, name: 'a', _extra: null, nick: 'one', age: 1 },
      { _id: 2, name: null, _extra: null, nick: 'two', age: 2 },
      { _id: 3, name: 'c', _extra: { nick: 3 }, nick: null, age: null },
    ]);
  });

  it('the same command reports that it is done, and a whole document stays whole', async (t) => {
    const scene = await setPromoteScene(t, [
      { _id: 1, age: 5, name: 'a' },
      { _id: 2, age: null },
      { _id: 3, age: 'old' },
    ]);
    assert.equal((await scene.copy(null, '--schema', 'document')).code, ExitCode.ok);
    assert.equal((await scene.promoted('things', 'age', '--type', 'int32')).isRepeated, false);
    const again = await scene.promoted('things', 'age');
    assert.deepEqual(
      [again.isRepeated, again.promoted, again.nulls, again.left],
      [true, 1, 1, { string: 1 }],
    );
    assert.deepEqual(await scene.rows(), [
      { _id: 1, document: { _id: 1, age: 5, name: 'a' }, age: 5 },
      { _id: 2, document: { _id: 2, age: null }, age: null },
      { _id: 3, document: { _id: 3, age: 'old' }, age: null },
    ]);
    await scene.assertVerified();
    const reported = await scene.promote('things', 'age');
    assert.match(reported.stdout, /"age" was promoted already: "public"."things"."age" \(int32\)/);
  });

  it('changes are merged with the column, by the same command, and can be cut over', async (t) => {
    const scene = await setFollowScene(t, 60);
    const planFile = join(await makeDirectory(t), 'plan.json');
    await writeFile(planFile, JSON.stringify(idOnly));
    const env = { ...inline, PLAN: planFile };
    const postgresUrl = scene.env.POSTGRES_URL ?? '';
    const wanted = { postgresUrl, table: 'things', field: 'text' };

    const first = scene.follow(env);
    await first.until('following');
    await assert.rejects(promote(wanted), { code: 'STREAM_BUSY' });
    await scene.collection.updateMany({ even: true }, { $set: { text: 'while followed' } });
    await scene.untilMerged(first);
    // All is compared once, so that a cutover would rely on it.
    await first.until('following', ({ collections }) =>
      collections.every(({ proof }) => proof?.verifiedAt != null),
    );
    assertCode(await first.stop(), ExitCode.sigint);
    await scene.collection.updateOne({ _id: 1 as never }, { $set: { text: 'while stopped' } });

    const summary = await promote(wanted);
    assert.deepEqual([summary.type, summary.promoted], ['string', 60]);
    assert.deepEqual(await scene.query('SELECT FROM mongo2pg.verifications'), []);
    const { runs } = await status({ postgresUrl });
    assert.deepEqual(runs[0]?.promotions, [
      { field: 'text', column: 'text', type: 'string', promoted: 60, isFinished: true },
    ]);

    const second = scene.follow(env);
    await second.until('following');
    await scene.collection.updateMany({ even: false }, { $set: { text: 'after it' } });
    await scene.collection.insertOne({ _id: 100 as never, text: 'new', even: true });
    await scene.collection.updateOne({ _id: 2 as never }, { $set: { text: 7 } });
    await scene.untilMerged(second);
    await scene.assertEqual();
    assert.deepEqual(
      await scene.query('SELECT _id, text, _extra FROM things WHERE _id IN (1, 2, 100) ORDER BY 1'),
      [
        { _id: 1, text: 'after it', _extra: { even: false } },
        { _id: 2, text: null, _extra: { even: true, text: 7 } },
        { _id: 100, text: 'new', _extra: { even: true } },
      ],
    );
    assertCode(await scene.run(inline, 'cutover'), ExitCode.ok);
    assertCode(await second.result, ExitCode.ok);
  });
});

describe('status', () => {
  it('suggests fields that many rows have, with their types, and not in --watch', async (t) => {
    const documents = Array.from({ length: 100 }, (_, _id) => ({
      ...{ _id, often: _id % 2 === 0 ? 'a' : 1 },
      ...(_id < 40 ? { less: new Date(0) } : {}),
      ...(_id < 2 ? { seldom: 1 } : {}),
      ...{ 'dotted.name': 1, dropped: 1 },
    }));
    const scene = await setPromoteScene(t, documents);
    assert.equal((await scene.copy({ ...idOnly, drop: ['dropped'] })).code, ExitCode.ok);
    const { stdout } = await scene.run('status');
    assert.match(
      stdout,
      /_extra has "often" \(int, string\) in 100 of 100 sampled rows: .*promote.* things often\n.*"less" \(date\) in 40 of 100/,
    );
    assert.doesNotMatch(stdout, /promote.*(seldom|dotted|dropped|_id)/);
    const { runs } = JSON.parse((await scene.run('status', '--json')).stdout) as {
      runs: { promotable: unknown[] }[];
    };
    assert.deepEqual(runs[0]?.promotable, [
      { field: 'often', count: 100, rows: 100, types: { int: 50, string: 50 } },
      { field: 'less', count: 40, rows: 100, types: { date: 40 } },
    ]);
    assert.doesNotMatch((await scene.run('status', '--watch')).stdout, /sampled/);
    await scene.promoted('things', 'less');
    const after = await scene.run('status');
    assert.doesNotMatch(after.stdout, /_extra.*"less"/);
    assert.match(after.stdout, /promoted "less" to "less" \(date\): 40 values\n/);
  });

  it('suggests fields that only later rows have, as the sample covers the whole table', async (t) => {
    const scene = await setPromoteScene(
      t,
      Array.from({ length: 4_000 }, (_, _id) => ({ _id, ...(_id < 2_000 ? {} : { late: 'a' }) })),
    );
    assert.equal((await scene.copy(idOnly)).code, ExitCode.ok);
    const { stdout } = await scene.run('status', '--json');
    const { runs } = JSON.parse(stdout) as {
      runs: { promotable: { field: string; count: number; rows: number }[] }[];
    };
    const [late] = runs[0]?.promotable ?? [];
    assert.deepEqual([late?.field, late?.rows], ['late', 1_000], stdout);
    // Half of the sample, far from a deviation by chance.
    assert.ok(Math.abs((late?.count ?? 0) - 500) < 150, stdout);
  });
});
