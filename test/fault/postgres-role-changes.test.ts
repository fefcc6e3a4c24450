/** A role of PostgreSQL changes during a run: it gets no more connections, or another password. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it, type TestContext } from 'node:test';
import pg from 'pg';
import { ExitCode } from '../../src/common/errors.ts';
import { cleanUp, waitUntil } from '../support/embedded.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { act, assertCode, setScene, setSceneByProxy, type Scene } from '../support/fault.ts';

/** Two workers and the primary, and the three connections that a run leaves free. */
const connectionLimit = 6;

interface Role {
  readonly name: string;
  /** The URL of the scene's database for this role. */
  url(password: string): string;
}

/** A role that is not a superuser, for which no limit holds. */
async function createRole(t: TestContext, scene: Scene): Promise<Role> {
  const name = `mongo2pg_test_${randomBytes(6).toString('hex')}`;
  const database = new URL(scene.env.POSTGRES_URL ?? '').pathname.slice(1);
  await scene.query(
    `CREATE ROLE ${name} LOGIN PASSWORD 'first' CONNECTION LIMIT ${connectionLimit};
     GRANT CREATE, TEMPORARY ON DATABASE ${database} TO ${name}; GRANT CREATE ON SCHEMA public TO ${name}`,
  );
  cleanUp(t, () => scene.query(`DROP OWNED BY ${name} CASCADE; DROP ROLE ${name}`));
  return {
    name,
    url: (password) => {
      const url = new URL(scene.env.POSTGRES_URL ?? '');
      url.username = name;
      url.password = password;
      return url.href;
    },
  };
}

async function countSessions(scene: Scene, role: Role): Promise<number> {
  return (await scene.query('SELECT FROM pg_stat_activity WHERE usename = $1', [role.name])).length;
}

/** Opens connections of the role until so many are left. */
async function takeConnections(t: TestContext, scene: Scene, role: Role, left: number): Promise<pg.Client[]> {
  const taken: pg.Client[] = [];
  const wanted = connectionLimit - left - (await countSessions(scene, role));
  for (let count = 0; count < wanted; count += 1) {
    const client = new pg.Client({ connectionString: role.url('first') });
    cleanUp(t, () => client.end());
    await client.connect();
    taken.push(client);
  }
  return taken;
}

describe('PostgreSQL has no connection left for workers', () => {
  it('one worker gets none until the end: the other does the work', async (t) => {
    const scene = await setScene(t);
    const role = await createRole(t, scene);
    const failpoints = await setFailpoints(t, { 'worker-before-connect': 'pausex2' });
    const running = scene.run({ ...failpoints.env, POSTGRES_URL: role.url('first') });
    await failpoints.waitUntilFired('worker-before-connect', 2);
    await takeConnections(t, scene, role, 1);
    await failpoints.resume('worker-before-connect');
    const run = await running;
    assertCode(run, 0);
    assert.equal(run.summary?.measurement.workers.filter(({ batches }) => batches > 0).length, 1);
    await scene.assertEqual();
  });

  it('no worker gets one at first: they retry until they do', async (t) => {
    const { scene, proxy } = await setSceneByProxy(t);
    const role = await createRole(t, scene);
    const failpoints = await setFailpoints(t, { 'worker-before-connect': 'pausex2' });
    let bytesAtStart: number | undefined;
    let committed = 0;
    const started = scene.start({ ...failpoints.env, POSTGRES_URL: role.url('first') });
    const running = act(started, (event) => {
      if (event.kind === 'started') bytesAtStart = proxy.bytes.toClient;
      if (event.kind === 'progress') committed = event.documents;
    });
    await failpoints.waitUntilFired('worker-before-connect', 2);
    const taken = await takeConnections(t, scene, role, 0);
    await waitUntil('the load has begun', () => Promise.resolve(bytesAtStart !== undefined));
    await failpoints.resume('worker-before-connect');
    // From its start on the primary waits: all further answers of the server are for the workers.
    await waitUntil('workers have been refused', () =>
      Promise.resolve(proxy.bytes.toClient > (bytesAtStart ?? Infinity)),
    );
    assert.equal(await countSessions(scene, role), connectionLimit);
    assert.equal(committed, 0);
    await Promise.all(taken.map((client) => client.end()));
    assertCode(await running, 0);
    await scene.assertEqual();
  });
});

it('the password is changed during the run and connections break: the run stops immediately, and resumes with the new password', async (t) => {
  const scene = await setScene(t);
  const role = await createRole(t, scene);
  const failpoints = await setFailpoints(t, { 'worker-before-commit': 'pause@8' });
  const running = scene.run({ ...failpoints.env, POSTGRES_URL: role.url('first') });
  await failpoints.waitUntilFired('worker-before-commit');
  await scene.query(`ALTER ROLE ${role.name} PASSWORD 'second'`);
  const ended = await scene.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE usename = $1 AND application_name = 'mongo2pg worker'`,
    [role.name],
  );
  assert.ok(ended.length > 0);
  await failpoints.resume('worker-before-commit');
  const stopped = await running;
  assertCode(stopped, ExitCode.target);
  assert.match(stopped.stderr, /refused the password of user.*the same command resumes/);
  const run = await scene.run({ POSTGRES_URL: role.url('second') });
  assertCode(run, 0);
  assert.match(run.notices, /continuing run 1/);
  await scene.assertEqual();
});
