import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { it, type TestContext } from 'node:test';
import { ExitCode } from '../../src/common/errors.ts';
import { cleanUp } from '../support/embedded.ts';
import { assertCode, setSceneOn } from '../support/fault.ts';
import { createSandbox, mongoUrl } from '../support/servers.ts';

/** https://www.postgresql.org/docs/current/protocol-message-formats.html, ErrorResponse */
function refuse(client: Socket): void {
  const fields = Buffer.from('SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0');
  const head = Buffer.alloc(5);
  head.write('E');
  head.writeInt32BE(4 + fields.length, 1);
  client.on('error', () => undefined);
  client.once('data', () => client.end(Buffer.concat([head, fields])));
}

function pass(client: Socket, port: number): void {
  const server = connect(port, '127.0.0.1');
  for (const socket of [client, server]) socket.on('error', () => undefined);
  client.pipe(server).pipe(client);
}

/** What takes the connections of the command: the first is counted as 0. */
async function setSceneBehind(t: TestContext, accept: (client: Socket, count: number, port: number) => void) {
  const sandbox = await createSandbox();
  cleanUp(t, () => sandbox.remove());
  const url = new URL(sandbox.postgresUrl);
  const realPort = Number(url.port);
  let count = 0;
  const server = createServer((client) => {
    accept(client, count++, realPort);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanUp(t, () => {
    server.close();
  });
  url.port = String((server.address() as AddressInfo).port);
  return await setSceneOn(t, {
    mongoUrl,
    postgresUrl: sandbox.postgresUrl,
    commandPostgresUrl: url.href,
  });
}

it('PostgreSQL is starting up when the command starts: the connection is retried', async (t) => {
  const scene = await setSceneBehind(t, (client, count, port) => {
    // It reports that, then refuses connections, and then accepts them.
    if (count === 0) refuse(client);
    else if (count === 1) client.resetAndDestroy();
    else pass(client, port);
  });
  const run = await scene.run();
  assertCode(run, 0);
  assert.match(run.notices, /reconnecting to PostgreSQL \(the database system is starting up\)/);
  await scene.assertEqual();
});

it('for RETRY_SECONDS and no longer', async (t) => {
  const scene = await setSceneBehind(t, refuse);
  const run = await scene.run({ RETRY_SECONDS: '1' });
  assertCode(run, ExitCode.target);
  assert.match(run.stderr, /the database system is starting up \(57P03\)/);
});
