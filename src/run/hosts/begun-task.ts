/** What another host has begun, for a host that joins it. */

import { UsageError } from '../../common/errors.ts';
import type { Config } from '../../config/config.ts';
import { invoke } from '../../config/invocation.ts';
import type { RunEvent } from '../../observe/events.ts';
import type { Session } from '../../postgres/connection/session.ts';
import {
  isUnfinished,
  listLiveHosts,
  readLastLeaderOfAny,
  type HostsKey,
  type HostTask,
} from '../../postgres/ledger/hosts/hosts.ts';
import { untilNextPoll } from '../../postgres/ledger/hosts/poll.ts';
import { requireSameKey } from './agreement.ts';
import type { HostLimits } from './host-limits.ts';

export interface BegunTaskOptions {
  readonly config: Pick<Config, 'keepJoining' | 'retrySeconds'>;
  readonly session: Session;
  readonly key: HostsKey;
  readonly limits: HostLimits;
  readonly onEvent: (event: RunEvent) => void;
  readonly signal: AbortSignal;
}

/** @throws UsageError if no host has begun anything in time, or if hosts work on something else */
export async function waitForTask({
  config: { keepJoining, retrySeconds },
  session,
  key,
  limits,
  onEvent,
  signal,
}: BegunTaskOptions): Promise<HostTask> {
  const limitMs = keepJoining ? Infinity : performance.now() + retrySeconds * 1000;
  for (let isReported = false; ; isReported = true) {
    const leader = await session.run((client) => readLastLeaderOfAny(client, key));
    if (leader !== null && isUnfinished(leader)) return leader.task;
    const live = await session.run((client) => listLiveHosts(client, limits.deadAfterMs));
    requireSameKey(key, live);
    if (performance.now() > limitMs) throw nothingToJoin(key);
    if (!isReported) onEvent({ kind: 'host-waiting' });
    await untilNextPoll(signal);
    signal.throwIfAborted();
  }
}

function nothingToJoin({ sourceDb, selection }: HostsKey): UsageError {
  return new UsageError(`no host copies or verifies ${sourceDb}.${selection} in this database`, {
    code: 'NOTHING_TO_JOIN',
    fix: `begin on one host with ${invoke('start', '--hosts')} or ${invoke('verify', '--hosts')}, then join it.`,
  });
}
