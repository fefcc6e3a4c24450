/** The settings of a command under faults, with short time limits. */

import type { Scene } from './faults.ts';

export const retrySeconds = 20;

/** For several hosts: no worker of theirs is stopped, and of so many some take seconds to start. */
export const settingsOfHosts = { WORKER_TIMEOUT_SECONDS: '20' } as const;

export interface CommandSettings {
  /** Of the collection, and of its table. */
  readonly name: string;
  readonly pool: string;
  readonly workers: number;
  readonly itemsPerPage: number;
}

export function createEnvironment(
  { mongo, postgres, postgresProxy }: Scene,
  { name, pool, workers, itemsPerPage }: CommandSettings,
) {
  return {
    MONGO_URL: mongo.commandUrl,
    MONGO_DB: 'soak',
    MONGO_COLLECTION: name,
    POSTGRES_URL: postgresProxy.url(postgres.url),
    CLUSTER_IMPLEMENTATION: pool,
    CLUSTER_SIZE: String(workers),
    ITEMS_PER_PAGE: String(itemsPerPage),
    RETRY_SECONDS: String(retrySeconds),
    WORKER_TIMEOUT_SECONDS: '2',
  };
}
