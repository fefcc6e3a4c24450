/** What the catalog says of the indexes that a table can have. */

import type pg from 'pg';
import type { IndexTarget } from '../../plan/indexes/index-plan.ts';
import type { Plan } from '../../transcode/plan.ts';
import { readMajorVersion } from '../connection/server-check.ts';
import { readDistribution } from './distribution.ts';

/** Of a table that is there. */
export async function readIndexTarget(client: pg.Client, plan: Plan): Promise<IndexTarget> {
  const distribution = await readDistribution(client, plan);
  return {
    version: await readMajorVersion(client),
    isDistributed: distribution !== null && distribution.column !== null,
  };
}
