import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { ExitCode } from '../../src/common/errors.ts';
import { describeEvent } from '../../src/observe/describe-event.ts';
import type { RunEvent } from '../../src/observe/events.ts';
import { readEvents, startCli, type CliResult } from '../support/cli.ts';
import { assertEqualTable } from '../support/compare.ts';
import { cleanUp } from '../support/embedded.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { assertCode, crashAction, documentsOf, killInTime } from '../support/fault.ts';
import { createSandbox, type Sandbox } from '../support/servers.ts';

/** In the order of their size, in which they begin. */
const names = ['a', 'b', 'c', 'd'];
const documentsEach = [800, 700, 600, 500];

interface Job extends CliResult {
  readonly events: readonly RunEvent[];
}

async function setSandbox(t: TestContext): Promise<Sandbox> {
  const sandbox = await createSandbox();
  cleanUp(t, () => sandbox.remove());
  for (const [index, name] of names.entries()) {
    await sandbox.db.collection(name).insertMany(documentsOf(documentsEach[index] ?? 0));
  }
  return sandbox;
}

/** @param on acts while the command runs; it receives a function that sends a signal */
async function runJob(
  t: TestContext,
  sandbox: Sandbox,
  env: Readonly<Record<string, string>> = {},
  on: (event: RunEvent, interrupt: () => void) => void | Promise<void> = () => undefined,
  ...args: string[]
): Promise<Job> {
  const running = startCli(['--json', ...args], {
    ...sandbox.env,
    ...{ MONGO_COLLECTION: '*', CLUSTER_SIZE: '2', ITEMS_PER_PAGE: '50' },
    ...env,
  });
  killInTime(t, running.process);
  const events: RunEvent[] = [];
  for await (const event of readEvents(running.process)) {
    events.push(event);
    await on(event, () => running.process.kill('SIGINT'));
  }
  return { ...(await running.result), events };
}

async function assertAllEqual(
  sandbox: Sandbox,
  deadLetters: Readonly<Record<string, number[]>> = {},
): Promise<void> {
  for (const name of names) {
    const left = deadLetters[name];
    await assertEqualTable(
      sandbox.db.collection(name),
      sandbox.client,
      name,
      left === undefined ? {} : { deadLetters: left },
    );
  }
}

function sourcesOf(events: readonly RunEvent[], kind: RunEvent['kind']): string[] {
  return events.flatMap((event) =>
    event.kind === kind && 'source' in event ? [(event.source ?? '').replace(/^.*\./, '')] : [],
  );
}

describe('small collections in parallel', () => {
  it('one that waits does not delay another, and the summaries are in the order of their size', async (t) => {
    const sandbox = await setSandbox(t);
    const failpoints = await setFailpoints(t, { 'primary-before-load-checkpoint': 'pause' });
    const finished = new Set<string>();
    const job = await runJob(t, sandbox, failpoints.env, async (event) => {
      if (event.kind !== 'summary') return;
      finished.add(event.source);
      // All others that run at the same time.
      if (finished.size === names.length - 1) await failpoints.resume('primary-before-load-checkpoint');
    });
    assertCode(job, ExitCode.ok);
    await assertAllEqual(sandbox);
    const { stdout } = await startCli([], {
      ...sandbox.env,
      ...{ MONGO_COLLECTION: '*', CLUSTER_SIZE: '1', POSTGRES_SCHEMA: 'again' },
    }).result;
    const lines = [...stdout.matchAll(/^\w+\.(\w) {2} +\d+ +\d+ +0 /gm)].map(([, name]) => name);
    assert.deepEqual(lines, names);
  });

  it('Ctrl-C: all commit what they have in flight, and the same command resumes with all', async (t) => {
    const sandbox = await setSandbox(t);
    // Each worker waits with a batch until the signal has come.
    const failpoints = await setFailpoints(t, { 'worker-before-commit': 'pause@6x*' });
    let isSent = false;
    const job = await runJob(t, sandbox, failpoints.env, async (event, interrupt) => {
      if (event.kind === 'progress' && !isSent) {
        isSent = true;
        await failpoints.waitUntilFired('worker-before-commit', 2);
        interrupt();
      }
      if (event.kind === 'notice' && event.message.startsWith('SIGINT')) {
        await failpoints.resume('worker-before-commit');
      }
    });
    assertCode(job, 130);
    assert.match(job.stderr, /stopped by SIGINT — \d+ documents are committed; the same command resumes/);
    const begun = sourcesOf(job.events, 'started');
    assert.ok(begun.length > 1, 'several were under way');
    const { rows } = await sandbox.client.query<{ left: string }>(
      'SELECT count(*) AS left FROM mongo2pg.runs WHERE finished_at IS NULL',
    );
    assert.ok(Number(rows[0]?.left) > 1, 'and none of them came to its end');
    const second = await runJob(t, sandbox);
    assertCode(second, ExitCode.ok);
    const reported = second.events.map((event) => describeEvent(event) ?? '').join('\n');
    assert.equal(reported.match(/continuing run/g)?.length, Number(rows[0]?.left));
    await assertAllEqual(sandbox);
  });

  it('one that PostgreSQL rejects fails alone, without a worker crash', async (t) => {
    const sandbox = await setSandbox(t);
    // An error about the server and not about a row: the worker reports it, and continues with the others.
    await sandbox.client.query(`
      CREATE TABLE b (_id int, text text, even boolean);
      CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN RAISE disk_full USING MESSAGE = 'no room for you'; END $$;
      CREATE TRIGGER refuse BEFORE INSERT ON b FOR EACH ROW EXECUTE FUNCTION refuse()`);
    // Another one is being loaded meanwhile.
    const failpoints = await setFailpoints(t, { 'worker-before-commit': 'pause' });
    const job = await runJob(t, sandbox, failpoints.env, async ({ kind }) => {
      if (kind === 'failed') await failpoints.resume('worker-before-commit');
    });
    assertCode(job, ExitCode.target);
    assert.deepEqual(sourcesOf(job.events, 'failed'), ['b']);
    assert.deepEqual(sourcesOf(job.events, 'summary').sort(), ['a', 'c', 'd']);
    assert.deepEqual(
      job.events.filter(({ kind }) => kind === 'worker-died'),
      [],
    );
    await sandbox.client.query('DROP TRIGGER refuse ON b');
    const second = await runJob(t, sandbox);
    assertCode(second, ExitCode.ok);
    assert.deepEqual(sourcesOf(second.events, 'summary'), ['b']);
    await assertAllEqual(sandbox);
  });

  it('a document that crashes workers is found in its collection, and no other collection loses a document', async (t) => {
    const sandbox = await setSandbox(t);
    const marker = 'ends every worker that looks at it';
    await sandbox.db.collection('c').deleteOne({ _id: 77 as never });
    await sandbox.db.collection('c').insertOne({ _id: 77 as never, text: marker, even: false });
    const hex = Buffer.from(marker).toString('hex');
    const failpoints = await setFailpoints(t, { 'worker-transcode': `${crashAction}?${hex}x*` });
    const job = await runJob(t, sandbox, failpoints.env);
    assertCode(job, ExitCode.deadLetters);
    const letters = job.events.flatMap((event) =>
      event.kind === 'summary' ? [[event.source.replace(/^.*\./, ''), event.deadLettered]] : [],
    );
    assert.deepEqual(
      letters.sort(),
      names.map((name) => [name, name === 'c' ? 1 : 0]),
    );
    await assertAllEqual(sandbox, { c: [77] });
  });
});
