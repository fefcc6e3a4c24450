/** A FollowingEvent with defaults for fields that a test does not set. */

import type { FollowedState, FollowingEvent } from '../../src/observe/follow-events.ts';

export function following(changes: Partial<FollowingEvent> = {}): FollowingEvent {
  return {
    kind: 'following',
    source: 'school.*',
    target: 'host:5432/school',
    readLagMs: 0,
    lagMs: 0,
    oldestWaitingMs: 0,
    waiting: 0,
    refused: 0,
    changesRead: 0,
    documentsMerged: 0,
    changesPerSecond: 0,
    events: {},
    oplogWindowMs: null,
    deadLettered: 0,
    collections: [],
    stopped: [],
    obstacles: [],
    workers: 2,
    liveWorkers: 2,
    ...changes,
  };
}

export function followed(source: string, changes: Partial<FollowedState> = {}): FollowedState {
  return {
    ...{ source, table: `"public"."${source}"`, waiting: 0, inserted: 0, updated: 0, deleted: 0 },
    endedBy: null,
    proof: null,
    ...changes,
  };
}
