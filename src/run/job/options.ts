/** What a job is given: by its caller, and what it has opened for all of its collections. */

import type { Config } from '../../config/config.ts';
import type { JobListener, Listeners } from '../../observe/listeners.ts';
import type { PlanFile } from '../../plan/file/plan-schema.ts';
import type { TransformFile } from '../../transcode/plan.ts';
import type { Database } from '../../source/database.ts';
import type { Pools } from '../../workers/pool/create-pool.ts';
import type { FollowLimits } from '../follow/limits.ts';
import type { Follower } from '../follow/follower.ts';
import type { HostWork } from '../../postgres/ledger/hosts/host-work.ts';
import type { Share } from '../../workers/supervisor/shared-size.ts';
import type { Size, Workforce } from '../workforce.ts';

export interface MigrateOptions {
  /** Each is told in this order. */
  readonly listeners: readonly JobListener[];
  /** Aborting it ends reading. What is in flight is committed, then the run stops with the signal's reason. */
  readonly signal: AbortSignal;
  /** The servers are for trying out: a run in the way is replaced without being asked. */
  readonly isTrial: boolean;
  /** The plan to follow, or null to infer one; only for a single collection. */
  readonly planFile: PlanFile | null;
  /** What makes of each document what is copied, or null. */
  readonly transform: TransformFile | null;
  /** Where the workers come from. */
  readonly pools: Pools;
  /** Where several hosts copy: this is the one that leads. */
  readonly hosts?: HostWork;
  /** Of the connections, where others have theirs. */
  readonly share?: Share;
  /** Of following; those of `follow/limits.ts` where none are given. */
  readonly limits?: FollowLimits;
}

export interface JobOptions extends Omit<MigrateOptions, 'listeners' | 'pools'> {
  readonly config: Config;
  readonly listeners: Listeners;
  readonly database: Database;
  readonly workforce: Workforce;
  readonly size: Size;
  /** Set where changes are followed. */
  readonly follower?: Follower;
}
