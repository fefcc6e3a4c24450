/** How often hosts send heartbeats, and when a silent one is declared dead. */

import { UsageError } from '../../common/errors.ts';

export interface HostLimits {
  readonly heartbeatMs: number;
  /** A host that sent no heartbeat for so long is declared dead. Longer than a network outage or a pause of the garbage collector. */
  readonly deadAfterMs: number;
}

/** The leader notices hosts that have joined with its heartbeats, and they wait for that. */
const defaults: HostLimits = { heartbeatMs: 2_000, deadAfterMs: 30_000 };

/** For tests; must be the same on all hosts. `200/2000`: a heartbeat every 200 ms, declared dead after 2000 ms without one. */
const variable = 'MONGO2PG_HOST_LIMITS';

/** @throws UsageError */
export function readHostLimits(env: Readonly<Record<string, string | undefined>>): HostLimits {
  const text = env[variable] ?? '';
  if (text === '') return defaults;
  const [, beat, dead] = /^(\d+)\/(\d+)$/.exec(text) ?? [];
  if (beat === undefined || dead === undefined) {
    throw new UsageError(`${variable} must be two numbers of milliseconds, such as 200/2000`, {
      code: 'HOST_LIMITS_INVALID',
      fix: 'correct it, or unset it.',
    });
  }
  return { heartbeatMs: Number(beat), deadAfterMs: Number(dead) };
}
