/** A promote that is killed in any window is finished by the same command, and nothing is lost or done twice. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ExitCode } from '../../src/common/errors.ts';
import { setFailpoints, type FailpointRules } from '../support/failpoints.ts';
import { idOnly, setPromoteScene, withColumns } from '../support/promote.ts';

/** Three pages of rows. */
const count = 5_000;
const documents = Array.from({ length: count }, (_, _id) => ({
  ...{ _id, other: 'stays' },
  ...(_id % 10 === 0 ? { score: `s${_id}` } : { score: _id }),
}));

const windows: readonly (readonly [FailpointRules, number])[] = [
  [{ 'promote-before-begin': 'kill' }, ExitCode.ok],
  [{ 'promote-after-begin': 'kill' }, ExitCode.usage],
  [{ 'promote-in-page': 'kill' }, ExitCode.usage],
  [{ 'promote-in-page': 'kill@2' }, ExitCode.usage],
  [{ 'promote-after-page': 'kill@2' }, ExitCode.usage],
  [{ 'promote-before-finish': 'kill' }, ExitCode.usage],
  [{ 'promote-after-finish': 'kill' }, ExitCode.ok],
];

describe('a promote that is killed', () => {
  for (const [rules, verified] of windows) {
    const [[name, action] = ['', '']] = Object.entries(rules);
    it(`at ${name} (${action})`, async (t) => {
      const scene = await setPromoteScene(t, documents);
      assert.equal((await scene.copy(idOnly)).code, ExitCode.ok);
      const failpoints = await setFailpoints(t, rules);
      const killed = await scene.start(failpoints.env, 'things', 'score', '--type', 'int32');
      assert.equal(killed.signal, 'SIGKILL', killed.stderr + killed.stdout);
      const between = await scene.run('verify', '--source', scene.dump);
      assert.equal(between.code, verified, between.stderr);
      if (verified !== ExitCode.ok) {
        assert.match(
          between.stderr,
          /the promotion of "score" in run 1 is not finished.*promote.* things score/,
        );
        const otherwise = await scene.promote('things', 'score', '--type', 'json');
        assert.match(otherwise.stderr, /was begun with the type int32/);
        const status = await scene.run('status');
        assert.match(status.stdout, /promoted "score" to "score" \(int32\): [\d,]+ values; not finished/);
      }
      const summary = await scene.promoted('things', 'score', '--type', 'int32');
      const left = { string: count / 10 };
      assert.deepEqual([summary.promoted, summary.nulls, summary.left], [count * 0.9, 0, left]);
      assert.equal(summary.isRepeated, name === 'promote-after-finish');
      await scene.assertVerified();
      await scene.assertAsCopiedBy(withColumns({ column: 'score', path: ['score'], type: 'int32' }));
    });
  }
});
