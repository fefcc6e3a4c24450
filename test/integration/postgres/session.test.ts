import assert from 'node:assert/strict';
import { after, before, describe, it, type TestContext } from 'node:test';
import pg from 'pg';
import { TargetError } from '../../../src/common/errors.ts';
import { Session, type SessionOptions } from '../../../src/postgres/connection/session.ts';
import { cleanUp, waitUntil } from '../../support/embedded.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';
import { startProxy, type Proxy } from '../../support/tcp-proxy.ts';

describe('a session', () => {
  let sandbox: Sandbox;
  before(async () => {
    sandbox = await createSandbox();
    await sandbox.client.query('CREATE TABLE lines (text text)');
  });
  after(async () => {
    await sandbox.remove();
  });

  interface Opened {
    readonly session: Session;
    readonly proxy: Proxy;
    readonly options: SessionOptions;
    /** Why connections were reopened. */
    readonly lost: string[];
    /** The server's process of each connection that was prepared. */
    readonly prepared: (number | undefined)[];
  }

  async function open(t: TestContext, more: Partial<SessionOptions> = {}): Promise<Opened> {
    const proxy = await startProxy({ port: Number(new URL(sandbox.postgresUrl).port) });
    cleanUp(t, () => proxy.close());
    const lost: string[] = [];
    const prepared: (number | undefined)[] = [];
    const options: SessionOptions = {
      url: proxy.url(sandbox.postgresUrl),
      applicationName: 'mongo2pg test',
      retryLimitMs: 30_000,
      answerTimeoutMs: 30_000,
      onLost: (reason) => lost.push(reason),
      onConnect: async (client) => {
        prepared.push(await readPid(client));
      },
      ...more,
    };
    const session = await Session.open(options);
    cleanUp(t, () => session.close());
    await sandbox.client.query('TRUNCATE lines');
    return { session, proxy, options, lost, prepared };
  }

  async function readLines(): Promise<string[]> {
    const { rows } = await sandbox.client.query<{ text: string }>('SELECT text FROM lines ORDER BY text');
    return rows.map(({ text }) => text);
  }

  async function terminate(pid: number | undefined): Promise<void> {
    await sandbox.client.query('SELECT pg_terminate_backend($1, 10000)', [pid]);
  }

  async function isThere(pid: number | undefined): Promise<boolean> {
    const { rowCount } = await sandbox.client.query('SELECT FROM pg_stat_activity WHERE pid = $1', [pid]);
    return rowCount === 1;
  }

  it('runs concurrent work in turn, each in a transaction of its own', async (t) => {
    const { session, proxy, prepared } = await open(t);
    const readTransaction = async (client: pg.Client): Promise<string> => {
      const { rows } = await client.query<{ id: string }>('SELECT pg_current_xact_id()::text AS id');
      return rows[0]?.id ?? '';
    };
    const works = Array.from({ length: 5 }, (_, n) =>
      session.transaction(async (client) => {
        const before = await readTransaction(client);
        await client.query('INSERT INTO lines VALUES ($1)', [`${n}`]);
        if (n === 3) throw new Error('of one of them');
        assert.equal(await readTransaction(client), before);
        return before;
      }),
    );
    const results = await Promise.allSettled(works);
    const ids = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    assert.equal(new Set(ids).size, 4);
    assert.deepEqual(await readLines(), ['0', '1', '2', '4']);
    // A broken connection is reported once, whatever used it.
    proxy.cut();
    await Promise.all([1, 2, 3].map(() => session.run(readTransaction)));
    assert.equal(prepared.length, 2);
  });

  it('reconnects if the connection broke while it was idle', async (t) => {
    const { session, lost, prepared } = await open(t);
    const former = session.pid;
    await terminate(former);
    assert.equal(await session.run(readPid), session.pid);
    assert.notEqual(session.pid, former);
    assert.deepEqual(prepared, [former, session.pid], 'the new connection was prepared like the first');
    assert.equal(lost.length, 1);
  });

  it('does not repeat work that is done once, and reports once that its connection broke', async (t) => {
    const { session, proxy, lost, prepared } = await open(t);
    await proxy.close();
    for (let n = 0; n < 2; n++) await assert.rejects(session.runOnce((client) => client.query('SELECT')));
    assert.deepEqual([lost.length, prepared.length], [1, 1]);
  });

  it('repeats the whole work if the connection breaks during it', async (t) => {
    const { session, lost } = await open(t);
    const pids: number[] = [];
    await session.transaction(async (client) => {
      pids.push(await readPid(client));
      await client.query("INSERT INTO lines VALUES ('once')");
      if (pids.length === 1) await terminate(pids[0]);
      await client.query("INSERT INTO lines VALUES ('and once')");
    });
    assert.equal(new Set(pids).size, 2);
    assert.deepEqual(await readLines(), ['and once', 'once']);
    assert.equal(lost.length, 1);
  });

  it('is killed during its work: nothing of that stays, and it does not reconnect', async (t) => {
    const death = new AbortController();
    const { session, lost, prepared } = await open(t, { killSignal: death.signal });
    const pid = session.pid;
    const working = session.transaction(async (client) => {
      await client.query("INSERT INTO lines VALUES ('never')");
      death.abort(new Error('killed by the test'));
      // Later work is rejected.
      await client.query("INSERT INTO lines VALUES ('nor this')");
    });
    await assert.rejects(working);
    await assert.rejects(session.run(readPid));
    await waitUntil('its process is gone', async () => !(await isThere(pid)));
    assert.deepEqual(await readLines(), []);
    assert.deepEqual(prepared, [pid]);
    assert.ok(lost.length <= 1);
  });

  it('is killed while it tries to connect', async (t) => {
    const { options, proxy } = await open(t);
    proxy.goSilent();
    const death = new AbortController();
    // If it waited for an answer, it would fail because there is none.
    const opening = assert.rejects(
      Session.open({ ...options, killSignal: death.signal }, 'retry'),
      /The operation was aborted/,
    );
    setImmediate(() => {
      death.abort(new Error('killed by the test'));
    });
    await opening;
    // The first session has no server to disconnect from either.
    proxy.cut();
  });

  it('rolls back a failed transaction, throws the error unchanged, and stays usable', async (t) => {
    const { session, lost } = await open(t);
    const pid = session.pid;
    const failing = session.transaction(async (client) => {
      await client.query("INSERT INTO lines VALUES ('never')");
      await client.query('SELECT 1 / 0');
    });
    await assert.rejects(failing, (error) => error instanceof pg.DatabaseError && error.code === '22012');
    const ours = new Error('of ours');
    await assert.rejects(
      session.transaction(() => Promise.reject(ours)),
      ours,
    );
    await session.transaction(async (client) => {
      await client.query("INSERT INTO lines VALUES ('kept')");
    });
    assert.deepEqual(await readLines(), ['kept']);
    assert.equal(session.pid, pid);
    assert.deepEqual(lost, []);
  });

  it('retries work that failed with a transient error, on the same connection', async (t) => {
    const { session } = await open(t);
    const pids: number[] = [];
    await session.transaction(async (client) => {
      pids.push(await readPid(client));
      await client.query("INSERT INTO lines VALUES ('once')");
      if (pids.length < 3) await client.query("DO $$ BEGIN RAISE 'again' USING ERRCODE = '40P01'; END $$");
    });
    assert.equal(pids.length, 3);
    assert.equal(new Set(pids).size, 1);
    assert.deepEqual(await readLines(), ['once']);
  });

  it('gives up if the server is unavailable for longer than the limit', async (t) => {
    const { session, proxy } = await open(t, { retryLimitMs: 300 });
    proxy.refuse();
    proxy.cut();
    const startedMs = performance.now();
    await assert.rejects(session.run(readPid), (error: unknown) => {
      assert.ok(error instanceof TargetError);
      assert.ok(error.isServerGone);
      assert.match(error.message, /kept failing for 0 s: no PostgreSQL answers/);
      return true;
    });
    assert.ok(performance.now() - startedMs >= 300);
    await proxy.restore();
    assert.ok((await session.run(readPid)) > 0, 'it can be used once the server is back');
  });

  it('ends its retries with the reason of the signal', async (t) => {
    const stop = new AbortController();
    const reason = new Error('enough');
    const onLost = (): void => {
      stop.abort(reason);
    };
    const { session, proxy } = await open(t, { signal: stop.signal, onLost });
    proxy.refuse();
    proxy.cut();
    await assert.rejects(session.run(readPid), reason);
  });

  it('is opened with one attempt; with retries, it waits for the server', async (t) => {
    const { proxy, options } = await open(t);
    proxy.refuse();
    const lost: string[] = [];
    const onLost = (reason: string): void => {
      lost.push(reason);
      void proxy.restore();
    };
    await assert.rejects(Session.open({ ...options, onLost }), /no PostgreSQL answers/);
    assert.deepEqual(lost, []);
    const retrying = await Session.open({ ...options, onLost }, 'retry');
    assert.equal(lost.length, 1);
    await retrying.close();
  });

  // On a busy machine an answer takes longer: a working server must answer within the limit.
  describe('on a half-open connection', () => {
    it('closes its connection, and terminates its old session, with its locks', async (t) => {
      const { session, proxy, lost } = await open(t, { answerTimeoutMs: 2_000 });
      const pids: number[] = [];
      await session.transaction(async (client) => {
        pids.push(await readPid(client));
        await client.query('LOCK TABLE lines IN ACCESS EXCLUSIVE MODE');
        await client.query("INSERT INTO lines VALUES ('once')");
        if (pids.length > 1) return;
        proxy.goSilent();
        await proxy.restore();
      });
      assert.equal(new Set(pids).size, 2);
      assert.equal(lost.length, 1);
      assert.deepEqual(await readLines(), ['once']);
      await waitUntil('the former process has ended', async () => !(await isThere(pids[0])));
    });

    it('sees what the server has committed, though its answer to that was lost', async (t) => {
      const { session, proxy } = await open(t, { answerTimeoutMs: 2_000 });
      const found: (number | null)[] = [];
      await session.transaction(async (client) => {
        const { rowCount } = await client.query("SELECT FROM lines WHERE text = 'once'");
        found.push(rowCount);
        if (rowCount === 0) await client.query("INSERT INTO lines VALUES ('once')");
        if (found.length > 1) return;
        // COMMIT arrives, and its answer does not.
        proxy.goSilent('toClient');
        await proxy.restore();
      });
      assert.deepEqual(found, [0, 1]);
      assert.deepEqual(await readLines(), ['once']);
    });

    for (const tracks of ['on', 'off']) {
      it(`does not cancel long work while the server executes it (track_activities = ${tracks})`, async (t) => {
        const onConnect = async (client: pg.Client): Promise<void> => {
          await client.query(`SET track_activities = ${tracks}`);
        };
        const { session, lost } = await open(t, { answerTimeoutMs: 1_000, onConnect });
        let attempts = 0;
        await session.run(async (client) => {
          attempts++;
          await client.query('SELECT pg_sleep(2.5)');
        }, 'long');
        assert.equal(attempts, 1);
        assert.deepEqual(lost, []);
      });
    }

    it('retries long work whose answer is missing', async (t) => {
      const { session, proxy, lost } = await open(t, { answerTimeoutMs: 2_000 });
      let attempts = 0;
      await session.run(async (client) => {
        attempts++;
        if (attempts === 1) {
          proxy.goSilent('toClient');
          await proxy.restore();
        }
        await client.query('SELECT pg_sleep(0.5)');
      }, 'long');
      assert.equal(attempts, 2);
      assert.equal(lost.length, 1);
    });
  });
});

async function readPid(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  return rows[0]?.pid ?? 0;
}
