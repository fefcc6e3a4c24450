import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  closePostgres,
  connectPostgres,
  type Connection,
} from '../../../src/postgres/connection/connection.ts';
import { inOneTrip } from '../../../src/postgres/connection/one-trip.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';

describe('several queries in one round trip', () => {
  let sandbox: Sandbox;
  before(async () => {
    sandbox = await createSandbox();
  });
  after(async () => {
    await sandbox.remove();
  });

  async function connected(
    isPipelined: boolean,
    work: (connection: Connection) => Promise<void>,
  ): Promise<void> {
    const connection = await connectPostgres(sandbox.postgresUrl, 'test', { isPipelined });
    try {
      await work(connection);
    } finally {
      await closePostgres(connection);
    }
  }

  /** Two pieces of two queries each. @returns what happened, in its order */
  async function record({ client }: Connection): Promise<string[]> {
    const seen: string[] = [];
    const piece = (name: string) => async (): Promise<string> => {
      seen.push(`${name} asks`);
      await client.query('SELECT');
      const { rows } = await client.query<{ name: string }>('SELECT $1 AS name', [name]);
      seen.push(`${name} is done`);
      return rows[0]?.name ?? '';
    };
    assert.deepEqual(await inOneTrip(client, piece('first'), piece('second')), ['first', 'second']);
    return seen;
  }

  it('sends all before the first answer, and gives each its own', async () => {
    await connected(true, async (connection) => {
      assert.deepEqual(await record(connection), [
        'first asks',
        'second asks',
        'first is done',
        'second is done',
      ]);
    });
  });

  it('on a connection that is not pipelined, one after the other', async () => {
    await connected(false, async (connection) => {
      assert.deepEqual(await record(connection), [
        'first asks',
        'first is done',
        'second asks',
        'second is done',
      ]);
    });
  });

  for (const isPipelined of [true, false]) {
    it(`throws the first error, and the connection stays usable (pipelined: ${String(isPipelined)})`, async () => {
      await connected(isPipelined, async ({ client }) => {
        await assert.rejects(
          inOneTrip(
            client,
            () => client.query('SELECT 1'),
            () => client.query('SELECT 1 / 0'),
            () => client.query('SELECT nothing'),
          ),
          /division by zero/,
        );
        const { rows } = await client.query('SELECT 1 AS one');
        assert.deepEqual(rows, [{ one: 1 }]);
      });
    });
  }

  it('a broken connection rejects all pending queries', async () => {
    await connected(true, async ({ client, socket }) => {
      const asked = inOneTrip(
        client,
        () => client.query('SELECT pg_sleep(600)'),
        () => client.query('SELECT 1'),
      );
      socket.destroy();
      await assert.rejects(asked);
    });
  });

  it('in a transaction, queries after an error are not executed', async () => {
    await connected(true, async ({ client }) => {
      await client.query('CREATE TABLE written (id int)');
      await client.query('BEGIN');
      await assert.rejects(
        inOneTrip(
          client,
          () => client.query('SELECT 1 / 0'),
          () => client.query('INSERT INTO written VALUES (1)'),
        ),
        /division by zero/,
      );
      await client.query('COMMIT');
      assert.deepEqual((await client.query('SELECT FROM written')).rowCount, 0);
    });
  });
});
