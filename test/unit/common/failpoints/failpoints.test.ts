import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isFailpointActive, reachFailpoint } from '../../../../src/common/failpoints/failpoints.ts';
import { cleanUp, waitForProcessEnd } from '../../../support/embedded.ts';
import { setFailpoints } from '../../../support/failpoints.ts';

interface Reacher {
  readonly pid: number;
  /** Has the process reach the point, once for each argument; answers with the outcome, or how the process ended. */
  reach(...points: string[]): Promise<string[]>;
  /** Sends the point and does not wait. */
  begin(point: string): void;
  readNext(): Promise<string>;
}

function startReacher(t: TestContext, env: Readonly<Record<string, string>>): Reacher {
  const child = spawn(
    process.execPath,
    [fileURLToPath(new URL('../../../support/failpoint-reacher.js', import.meta.url))],
    { env, stdio: ['pipe', 'pipe', 'inherit'] },
  );
  // The pipe of a killed process.
  child.stdin.on('error', () => undefined);
  const exited = once(child, 'exit').then(([code, signal]) => `ended by ${String(signal ?? code)}`);
  cleanUp(t, async () => {
    child.kill('SIGKILL');
    await exited;
  });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const readNext = async (): Promise<string> => {
    const line = await lines.next();
    return line.done === true ? await exited : line.value;
  };
  const begin = (point: string): void => {
    child.stdin.write(`${point}\n`);
  };
  return {
    pid: child.pid ?? 0,
    readNext,
    begin,
    async reach(...points) {
      const outcomes: string[] = [];
      for (const point of points) {
        begin(point);
        outcomes.push(await readNext());
      }
      return outcomes;
    },
  };
}

const point = 'worker-before-ack';
const nothing = 'nothing';

describe('reachFailpoint', () => {
  it('does nothing, not even a promise, without failpoints', () => {
    assert.equal(reachFailpoint(point), undefined);
    assert.equal(isFailpointActive(point), false);
  });

  it('does nothing where no failpoint is set', async (t) => {
    const { env } = await setFailpoints(t, { 'worker-in-copy': 'error' });
    assert.deepEqual(await startReacher(t, env).reach(point), ['nothing, not active']);
  });

  it('kills, exits, throws and returns verdicts', async (t) => {
    const outcomes = {
      kill: 'ended by SIGKILL',
      exit: 'ended by 0',
      error: `Error: failpoint ${point}`,
      drop: 'drop',
      double: 'double',
    } as const;
    for (const action of Object.keys(outcomes) as (keyof typeof outcomes)[]) {
      const failpoints = await setFailpoints(t, { [point]: action });
      const reacher = startReacher(t, failpoints.env);
      assert.deepEqual(await reacher.reach(point), [outcomes[action]]);
      assert.equal(await failpoints.waitUntilFired(point), reacher.pid);
    }
  });

  it('begins at the given hit, and fires so often, over all processes', async (t) => {
    const failpoints = await setFailpoints(t, { [point]: 'drop@3x2' });
    const [one, other] = [startReacher(t, failpoints.env), startReacher(t, failpoints.env)];
    assert.deepEqual(await one.reach(point), [nothing]);
    assert.deepEqual(await other.reach(point, point), [nothing, 'drop']);
    assert.deepEqual(await one.reach(point, point, point), ['drop', nothing, nothing]);
    assert.deepEqual(await other.reach(point), [nothing]);
    assert.equal(await failpoints.countFirings(point), 2);
  });

  it('fires always with x*', async (t) => {
    const failpoints = await setFailpoints(t, { [point]: 'dropx*' });
    for (const reacher of [startReacher(t, failpoints.env), startReacher(t, failpoints.env)]) {
      assert.deepEqual(await reacher.reach(point, point, point), ['drop', 'drop', 'drop']);
    }
    assert.equal(await failpoints.countFirings(point), 6);
  });

  it('fires in only one process if many reach it at the same time', async (t) => {
    const { env } = await setFailpoints(t, { [point]: 'drop' });
    const reachers = Array.from({ length: 4 }, () => startReacher(t, env));
    const outcomes = await Promise.all(reachers.map((reacher) => reacher.reach(point, point)));
    assert.equal(outcomes.flat().filter((outcome) => outcome === 'drop').length, 1);
  });

  it('counts only hits with the given bytes', async (t) => {
    const { env } = await setFailpoints(t, { [point]: 'drop?beef@2' });
    const points = [point, `${point} 00beef00`, `${point} 00be00ef`, `${point} 00beef`];
    assert.deepEqual(await startReacher(t, env).reach(...points), [nothing, nothing, nothing, 'drop']);
  });

  it('pauses until resumed', async (t) => {
    const failpoints = await setFailpoints(t, { [point]: 'pause', 'worker-in-copy': 'drop' });
    const reacher = startReacher(t, failpoints.env);
    reacher.begin(point);
    await failpoints.waitUntilFired(point);
    let hasGoneOn = false;
    const outcome = reacher.readNext().finally(() => (hasGoneOn = true));
    // Another process starts and answers meanwhile.
    assert.deepEqual(await startReacher(t, failpoints.env).reach('worker-in-copy'), ['drop']);
    assert.equal(hasGoneOn, false);
    await failpoints.resume(point);
    assert.equal(await outcome, nothing);
  });

  it('hangs, and no longer than the test', async (t) => {
    let pid = 0;
    await t.test('hangs', async (inner) => {
      const failpoints = await setFailpoints(inner, { [point]: 'hang' });
      // Started by the outer test, so that only the process itself ends it.
      const reacher = startReacher(t, failpoints.env);
      pid = reacher.pid;
      reacher.begin(point);
      await failpoints.waitUntilFired(point);
    });
    await waitForProcessEnd(pid);
  });

  it('refuses an unknown name, and rules without a folder', async (t) => {
    const { env } = await setFailpoints(t, {});
    const refuse = async (extra: Record<string, string>): Promise<string> =>
      (await startReacher(t, { ...env, ...extra }).reach(point)).join();
    assert.match(await refuse({ MONGO2PG_FAILPOINTS: 'nowhere=kill' }), /^UsageError: .*"nowhere"/);
    assert.match(
      await refuse({ MONGO2PG_FAILPOINTS: `${point}=kill`, MONGO2PG_FAILPOINTS_DIR: '' }),
      /^UsageError: .*MONGO2PG_FAILPOINTS_DIR/,
    );
  });
});
