/** Catalog facts that decide which indexes a table can have. */

import type pg from 'pg';
import type { IndexTarget } from '../../plan/indexes/index-plan.ts';
import type { Plan } from '../../transcode/plan.ts';
import { readMajorVersion } from '../connection/server-check.ts';
import { readDistribution } from './distribution.ts';

/** For an existing table. */
export async function readIndexTarget(client: pg.Client, plan: Plan): Promise<IndexTarget> {
  const distribution = await readDistribution(client, plan);
  return {
    version: await readMajorVersion(client),
    isDistributed: distribution !== null && distribution.column !== null,
  };
}
