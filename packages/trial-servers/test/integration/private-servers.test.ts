/** The servers that fault tests crash: each must really stop, and restart on the same port with its data. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { MongoClient } from 'mongodb';
import pg from 'pg';
import { query } from '../../../../test/support/embedded.ts';
import { startPrivateMongo, startPrivatePostgres } from '../../../../test/support/private-servers.ts';
import type {
  PrivateMongo,
  PostgresStopMode,
  PrivateServer,
} from '../../../../test/support/private-servers.ts';

async function isRefused(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return false;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED';
  } finally {
    socket.destroy();
  }
}

describe('a private Postgres', () => {
  let server: PrivateServer<PostgresStopMode>;
  before(async () => {
    server = await startPrivatePostgres();
  });
  after(async () => {
    await server.remove();
  });

  const stops = {
    fast: /terminating connection due to administrator command/,
    immediate: /^Connection terminated unexpectedly$/,
  } as const;
  for (const mode of ['fast', 'immediate'] as const) {
    it(`is stopped (${mode}) under its clients, and restarts with committed data`, async () => {
      await query(server.url, `CREATE TABLE ${mode} AS SELECT 1 AS x`);
      const client = new pg.Client({ connectionString: server.url });
      await client.connect();
      const errors: string[] = [];
      client.on('error', (error: Error) => errors.push(error.message));
      await client.query(`BEGIN; INSERT INTO ${mode} VALUES (2)`);
      const ended = new Promise((resolve) => client.once('end', resolve));
      await server.stop(mode);
      await ended;
      assert.match(errors.join(), stops[mode]);
      assert.ok(await isRefused(server.port));
      await server.start();
      assert.deepEqual(await query(server.url, `SELECT x FROM ${mode}`), [1]);
    });
  }
});

describe('a private MongoDB', () => {
  let server: PrivateMongo;
  before(async () => {
    server = await startPrivateMongo();
  });
  after(async () => {
    await server.remove();
  });

  for (const mode of ['fast', 'kill'] as const) {
    it(`is stopped (${mode}), and restarts with inserted documents`, async () => {
      const client = await MongoClient.connect(server.url);
      try {
        const things = client.db('shop').collection<{ _id: number }>(mode);
        await things.insertMany([{ _id: 1 }, { _id: 2 }]);
        await server.stop(mode);
        assert.ok(await isRefused(server.port));
        await server.start();
        assert.deepEqual(await things.find().sort({ _id: 1 }).toArray(), [{ _id: 1 }, { _id: 2 }]);
      } finally {
        await client.close();
      }
    });
  }
});
