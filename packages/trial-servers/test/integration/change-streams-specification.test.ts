/**
 * The embedded MongoDB server against the drivers' own tests of change streams. They are data of their own licence
 * (CC BY-NC-SA 3.0 US), and so not part of this repository: TEST_MONGODB_SPECIFICATIONS names a checkout of
 * https://github.com/mongodb/specifications that has them.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { BSON } from 'mongodb';
import { startMongoServer, type MongoServer } from '../../src/mongo/server.ts';
import {
  chooseServer,
  runUnifiedTest,
  type Topology,
  type UnifiedFile,
  type UnifiedServer,
} from '../../../../test/support/unified/runner.ts';

const folder = process.env.TEST_MONGODB_SPECIFICATIONS;
const skip =
  folder === undefined && 'TEST_MONGODB_SPECIFICATIONS does not name a checkout of mongodb/specifications';

/** The versions are those whose tests apply: the server has what came with 8.1 to change streams, too. */
const servers: { version: string; topology: Topology; replicaSet?: null }[] = [
  { version: '7.0.0', topology: 'replicaset' },
  { version: '7.0.0', topology: 'single', replicaSet: null },
  { version: '8.1.0', topology: 'replicaset' },
];

/** How many there are that apply: one that is left out is noticed. */
const expectedCount = 69;

describe('the specification of change streams', { skip }, () => {
  const files = folder === undefined ? [] : readFiles(folder);
  const running = new Map<(typeof servers)[number], MongoServer>();
  before(async () => {
    for (const server of servers) {
      const { replicaSet } = server;
      running.set(server, await startMongoServer(replicaSet === null ? { replicaSet } : {}));
    }
  });
  after(async () => {
    for (const server of running.values()) await server.close();
  });

  let count = 0;
  for (const file of files) {
    describe(file.description, () => {
      for (const test of file.tests) {
        const server = chooseServer(file, test, servers);
        if (typeof server === 'string') {
          it(test.description, { skip: server }, () => undefined);
          continue;
        }
        count++;
        it(test.description, async () => {
          const { version, topology } = server;
          const url = running.get(server)?.url ?? '';
          await runUnifiedTest(file, test, { url, version, topology } satisfies UnifiedServer);
        });
      }
    });
  }

  it('is run as far as it applies', () => {
    assert.equal(count, expectedCount);
  });
});

function readFiles(checkout: string): UnifiedFile[] {
  const path = join(checkout, 'source/change-streams/tests/unified');
  return readdirSync(path)
    .filter((name) => name.endsWith('.json'))
    .map((name) => BSON.EJSON.parse(readFileSync(join(path, name), 'utf8')) as UnifiedFile);
}
