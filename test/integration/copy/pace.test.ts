/** The pace of reading a source: as set at the start, and as changed meanwhile. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ExitCode } from '../../../src/common/errors.ts';
import { plainPool, runCli, type CliResult } from '../../support/cli.ts';
import { act, assertCode, setScene, type Scene } from '../../support/fault.ts';
import { waitUntil } from '../../support/embedded.ts';

const tune = (scene: Scene, ...args: string[]): Promise<CliResult> =>
  runCli(['tune', ...args], { POSTGRES_URL: scene.env.POSTGRES_URL ?? '' });

/** What a process records in the ledger once it has run for a second. */
async function untilAnnounced(scene: Scene): Promise<void> {
  await waitUntil('the process is in the ledger', async () => {
    const [row] = await scene.query<{ paces: string | null }>(
      "SELECT to_regclass('mongo2pg.paces') AS paces",
    );
    return row?.paces != null && (await scene.query('SELECT FROM mongo2pg.paces')).length === 1;
  });
}

describe('MAX_RATE', () => {
  for (const [rate, atLeastMs] of [
    // The first second may be read immediately, and nothing waits for the last page.
    ['400', (1_200 - 400 - 50) / 0.4],
    ['0.02MB', 1_000],
  ] as const) {
    it(`of ${rate} holds for all readers together`, async (t) => {
      const scene = await setScene(t, 1_200, plainPool);
      const run = await scene.run({ MAX_RATE: rate, READ_RANGES: '4' });
      assertCode(run, ExitCode.ok);
      await scene.assertEqual();
      const { loadMs = 0, measurement } = run.summary ?? {};
      assert.ok((measurement?.heldMs ?? 0) > 0, JSON.stringify(measurement));
      assert.ok(loadMs >= atLeastMs - 50, `${loadMs} ms`);
    });
  }

  it('holds for verify', async (t) => {
    const scene = await setScene(t, 1_200, plainPool);
    assertCode(await scene.run(), ExitCode.ok);
    const beganMs = performance.now();
    assertCode(await scene.run({ MAX_RATE: '400' }, 'verify'), ExitCode.ok);
    assert.ok(performance.now() - beganMs >= 1_800);
  });

  it('does not delay a run that is interrupted, and the next start copies the rest', async (t) => {
    const scene = await setScene(t, 3_000, plainPool);
    const running = scene.start({ MAX_RATE: '1' });
    let isStopped = false;
    const run = await act(running, (event) => {
      if (event.kind !== 'progress' || isStopped) return;
      isStopped = true;
      running.process.kill('SIGINT');
    });
    assertCode(run, ExitCode.sigint);
    assertCode(await scene.run(), ExitCode.ok);
    await scene.assertEqual();
  });
});

describe('LOAD_LEVEL', () => {
  for (const level of ['low', 'medium', 'high']) {
    it(`${level} copies all`, async (t) => {
      const scene = await setScene(t, 3_000, plainPool);
      const run = await scene.run({ LOAD_LEVEL: level, READ_RANGES: '4' });
      assertCode(run, ExitCode.ok);
      if (level === 'high') assert.equal(run.summary?.measurement.heldMs, 0);
      await scene.assertEqual();
    });
  }
});

describe('tune', () => {
  it('changes a running process, and shows the setting', async (t) => {
    const scene = await setScene(t, 3_000, plainPool);
    const running = scene.start({ MAX_RATE: '20' });
    const ending = act(running, () => undefined);
    await untilAnnounced(scene);
    const what = `copying ${scene.db.databaseName}.things`;
    const shown = await tune(scene);
    assert.equal(shown.code, ExitCode.ok, shown.stderr);
    assert.equal(shown.stdout, `${what}: 20 documents/s, load level high\n`);
    const slower = await tune(scene, '--load-level', 'low', '--json');
    assert.equal(slower.code, ExitCode.ok, slower.stderr);
    const { process, ...reported } = JSON.parse(slower.stdout) as Record<string, unknown>;
    assert.match(String(process), /^[\da-f-]{36}$/);
    assert.deepEqual(reported, {
      ...{ kind: 'pace', work: what, maxRate: '20', loadLevel: 'low', isTaken: true },
    });
    const faster = await tune(scene, '--max-rate', 'none', '--load-level', 'medium');
    assert.equal(faster.stdout, `${what}: no limit, load level medium\n`);
    const run = await ending;
    assertCode(run, ExitCode.ok);
    assert.match(run.notices, /the source is now read with 20 documents\/s, load level low/);
    assert.match(run.notices, /the source is now read with no limit, load level medium/);
    await scene.assertEqual();
    assert.deepEqual(await scene.query('SELECT FROM mongo2pg.paces'), []);
  });

  it('reports that nothing is running: without a ledger, and if a process was killed some time ago', async (t) => {
    const scene = await setScene(t, 3_000, plainPool);
    const none = await tune(scene, '--max-rate', '5');
    assert.equal(none.code, ExitCode.usage);
    assert.match(none.stderr, /no process is copying into this PostgreSQL/);
    const running = scene.start({ MAX_RATE: '20' });
    await untilAnnounced(scene);
    running.process.kill('SIGKILL');
    await running.result;
    const early = await tune(scene, '--max-rate', '5');
    assert.equal(early.code, ExitCode.notReady, early.stdout);
    assert.match(early.stdout, /5 documents\/s, load level high \(not applied yet\)/);
    await scene.query("UPDATE mongo2pg.paces SET seen_at = seen_at - interval '31 seconds'");
    assert.equal((await tune(scene)).code, ExitCode.usage);
    await scene.query("UPDATE mongo2pg.paces SET seen_at = seen_at - interval '1 day'");
    const next = scene.start();
    const ending = act(next, () => undefined);
    assertCode(await ending, ExitCode.ok);
    await scene.assertEqual();
  });
});
