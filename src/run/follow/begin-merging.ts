/** Begins to merge the changes of a copied collection on the workers. */

import { qualifiedName } from '../../postgres/connection/relations.ts';
import type { Run } from '../../postgres/ledger/runs.ts';
import type { FollowedCollection } from '../../postgres/worker-settings.ts';
import type { Plan } from '../../transcode/plan.ts';
import type { Supervisor } from '../../workers/supervisor/supervisor.ts';
import { workerTarget, type WorkerConfig } from '../workforce.ts';
import { Followed } from './followed.ts';

export interface MergingOptions {
  readonly config: WorkerConfig;
  readonly supervisor: Supervisor;
  /** `database.collection`, and the name alone. */
  readonly source: string;
  readonly collection: string;
  readonly run: Pick<Run, 'runId' | 'settings'>;
  readonly place: FollowedCollection;
  /** That of the run, as this process has its transform. */
  readonly plan: Plan;
}

export function beginMerging(options: MergingOptions): Followed {
  const { config, supervisor, source, collection, run, place, plan } = options;
  const { runId, settings } = run;
  const table = qualifiedName(plan);
  const followed = new Followed({
    ...{ source, collection, identity: settings.collectionId, table, runId, place },
  });
  const merging = { ...workerTarget(config), purpose: 'merge', runId, plan, stream: place } as const;
  followed.handle = supervisor.begin(merging, followed);
  return followed;
}
