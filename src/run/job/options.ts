/** Options of a job, and what it opens for all of its collections. */

import type { Config } from '../../config/config.ts';
import type { JobListener, Listeners } from '../../observe/listeners.ts';
import type { PlanFile } from '../../plan/file/plan-schema.ts';
import type { TransformFile } from '../../transcode/plan.ts';
import type { Database } from '../../source/database.ts';
import type { Pools } from '../../workers/pool/create-pool.ts';
import type { HandsOver } from '../failure.ts';
import type { FollowLimits } from '../follow/limits.ts';
import type { Follower } from '../follow/follower.ts';
import type { HostWork } from '../../postgres/ledger/hosts/host-work.ts';
import type { Share } from '../../workers/supervisor/shared-size.ts';
import type { Size, Workforce } from '../workforce.ts';

export interface MigrateOptions {
  /** Called in this order. */
  readonly listeners: readonly JobListener[];
  /** Aborting it stops reading. Batches in flight are committed, then the run ends with the signal's reason. */
  readonly signal: AbortSignal;
  /** The servers are trial servers: an earlier run is replaced without asking. */
  readonly isTrial: boolean;
  /** The plan to follow, or null to infer one; only for a single collection. */
  readonly planFile: PlanFile | null;
  /** The transform, or null. */
  readonly transform: TransformFile | null;
  /** How workers are started. */
  readonly pools: Pools;
  /** Set if several hosts copy and this one leads. */
  readonly hosts?: HostWork;
  /** Set if this host leads in place of another: when that one joined. */
  readonly ledSince?: Date;
  /** Set with `hosts`. */
  readonly handsOver?: HandsOver;
  /** The share of connections, with several hosts. */
  readonly share?: Share;
  /** Limits of following; by default those of `follow/limits.ts`. */
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
