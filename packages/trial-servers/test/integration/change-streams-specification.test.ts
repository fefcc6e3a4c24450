/** The embedded MongoDB server against the drivers' own tests of change streams. */
import assert from 'node:assert/strict';
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
import { readDriversTests, skipDriversTests } from '../../../../test/support/drivers-tests.ts';

/** The versions whose tests apply: the server has the change stream features of 8.1, too. */
const servers: { version: string; topology: Topology; replicaSet?: null }[] = [
  { version: '7.0.0', topology: 'replicaset' },
  { version: '7.0.0', topology: 'single', replicaSet: null },
  { version: '8.1.0', topology: 'replicaset' },
];

/** Older copies of the tests do not have this file. */
const youngestFile = { name: 'change-streams-nsType.json', count: 3 };

/** How many tests of the other files apply, so that a missing one is noticed. */
const expectedCount = 66;

describe('the specification of change streams', { skip: skipDriversTests }, () => {
  const files = readDriversTests('change-streams');
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
  for (const text of files.values()) {
    const file = BSON.EJSON.parse(text) as UnifiedFile;
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
    assert.equal(count, expectedCount + (files.has(youngestFile.name) ? youngestFile.count : 0));
  });
});
