/** One copy by two to four hosts, with faults of any of them at random times; others join, and in the end all is compared. */

import { setTimeout as delay } from 'node:timers/promises';
import { MongoClient } from 'mongodb';
import type { Random } from '../../src/common/random.ts';
import { createEnvironment, settingsOfHosts } from './environment.ts';
import type { Scene } from './faults.ts';
import { HostGroup } from './host-group.ts';
import { requireEqualTable } from './outcome.ts';

const longestPauseMs = 1_200;

export interface HostsSoakOptions {
  readonly name: string;
  readonly pool: string;
  readonly onFault: (kind: string) => void;
}

/** @throws when something is lost, duplicated or hangs */
export async function soakHosts(
  scene: Scene,
  random: Random,
  log: string[],
  { name, pool, onFault }: HostsSoakOptions,
): Promise<void> {
  const { mongo, postgres } = scene;
  const client = await MongoClient.connect(mongo.url);
  const collection = client.db('soak').collection(name);
  const count = 4_000 + random.below(8_000);
  await collection.insertMany(
    Array.from({ length: count }, (_, _id) => ({ _id: _id as never, text: `text ${_id}`, n: _id % 7 })),
  );
  const workers = 1 + random.below(3);
  const itemsPerPage = 5 + random.below(20);
  const env = { ...createEnvironment(scene, { name, pool, workers, itemsPerPage }), ...settingsOfHosts };
  log.push(`${count} documents, ${workers} workers of ${pool}`);
  const hosts = new HostGroup({ env, scene, random, log, onFault });
  try {
    const copied = hosts.run();
    // Its failure ends this loop, and is thrown below.
    copied.catch(() => (hosts.isOver = true));
    while (!hosts.isOver && hosts.hurtsLeft > 0) {
      await Promise.race([delay(100 + random.below(longestPauseMs)), copied]);
      await hosts.hurt();
    }
    await copied;
    await requireEqualTable(collection, postgres.url);
    await collection.drop();
  } finally {
    await hosts.kill();
    await client.close();
  }
}
