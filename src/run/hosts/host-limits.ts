/** How soon hosts hear of each other. A test has shorter ones. */

import { UsageError } from '../../common/errors.ts';

export interface HostLimits {
  /** How often each gives a sign of life. */
  readonly beatMs: number;
  /** One that gave none for so long is taken for dead. Longer than a network or a garbage collector stands still. */
  readonly deadAfterMs: number;
}

const usual: HostLimits = { beatMs: 5_000, deadAfterMs: 30_000 };

/** For tests, and alike on all hosts: `200/2000` are a sign of life every 200 ms, and death after 2000 ms without. */
const variable = 'MONGO2PG_HOST_LIMITS';

/** @throws UsageError */
export function readHostLimits(env: Readonly<Record<string, string | undefined>>): HostLimits {
  const text = env[variable] ?? '';
  if (text === '') return usual;
  const [, beat, dead] = /^(\d+)\/(\d+)$/.exec(text) ?? [];
  if (beat === undefined || dead === undefined) {
    throw new UsageError(`${variable} is to be two numbers of milliseconds, such as 200/2000`, {
      code: 'HOST_LIMITS_INVALID',
      fix: 'correct it, or unset it.',
    });
  }
  return { beatMs: Number(beat), deadAfterMs: Number(dead) };
}
