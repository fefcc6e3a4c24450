/** Catalog facts that decide which indexes a table can have. */

import type pg from 'pg';
import type { IndexTarget } from '../../plan/indexes/index-plan.ts';
import type { Plan } from '../../transcode/plan.ts';
import { inOneTrip } from '../connection/one-trip.ts';
import { readMajorVersion } from '../connection/server-check.ts';
import { readDistribution } from './distribution.ts';

/** For an existing table. */
export async function readIndexTarget(client: pg.Client, plan: Plan): Promise<IndexTarget> {
  const [version, distribution] = await inOneTrip(client, readMajorVersion, () =>
    readDistribution(client, plan),
  );
  return {
    version,
    isDistributed: distribution !== null && distribution.column !== null,
  };
}
