/** Servers that have no change stream, or none for this user: refused before anything is written. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ExitCode } from '../../src/common/errors.ts';
import { inline, setFollowSceneOn, type FollowScene } from '../support/follow-scene.ts';
import { startLyingMongo, useLyingMongo } from '../support/lying-mongo.ts';

async function requireRefused(scene: FollowScene, code: string, message: RegExp): Promise<void> {
  const following = scene.follow(inline);
  const result = await following.result;
  assert.equal(result.code, ExitCode.source, result.stderr);
  assert.match(result.stderr, message);
  assert.match(result.stdout, new RegExp(`"code":"${code}"`));
  const written = await scene.query(
    "SELECT FROM pg_class WHERE relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname IN ('public', 'mongo2pg'))",
  );
  assert.deepEqual(written, [], 'nothing is written');
}

describe('a server that cannot be followed', () => {
  const mongo = useLyingMongo();

  it('because it is no replica set: the error says how it becomes one', async (t) => {
    const standalone = await startLyingMongo(t, { replicaSet: null });
    const scene = await setFollowSceneOn(t, standalone.url, { count: 20 });
    await requireRefused(scene, 'CHANGE_STREAMS_MISSING', /make a standalone mongod a replica set of one/);
    const { code, stderr } = await scene.run(inline);
    assert.equal(code, 0, `it can be copied: ${stderr}`);
    await scene.assertEqual();
  });

  // What FerretDB, Cosmos DB and DocumentDB answer with, by version.
  for (const errorCode of [59, 115, 238, 40324, 16436]) {
    it(`because it does not support change streams (${errorCode})`, async (t) => {
      const scene = await setFollowSceneOn(t, mongo().url, { count: 20 });
      await mongo().failCommands(t, { failCommands: ['aggregate'], errorCode });
      await requireRefused(
        scene,
        'CHANGE_STREAMS_MISSING',
        /this server has no change streams: .*without --follow/,
      );
    });
  }

  it('because of the privileges of the user', async (t) => {
    const scene = await setFollowSceneOn(t, mongo().url, { count: 20 });
    await mongo().failCommands(t, { failCommands: ['aggregate'], errorCode: 13 });
    await requireRefused(
      scene,
      'CHANGE_STREAM_RIGHTS',
      /may not read the change stream.*grant the user the role `read`/,
    );
  });
});
