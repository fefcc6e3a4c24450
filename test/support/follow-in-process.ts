/** Following in the process of the test, with limits of the test. */

import type { TestContext } from 'node:test';
import { readConfig } from '../../src/config/config.ts';
import { InterruptedError } from '../../src/common/errors.ts';
import type { RunEvent } from '../../src/observe/events.ts';
import { followLimits, type FollowLimits } from '../../src/run/follow/limits.ts';
import { migrate } from '../../src/run/job/job.ts';
import { createPools } from '../../src/workers/pool/create-pool.ts';
import { cleanUp, waitUntil } from './embedded.ts';

export interface FollowingHere {
  readonly events: readonly RunEvent[];
  /** Waits for an event; earlier ones count as well. */
  until<K extends RunEvent['kind']>(
    kind: K,
    isWanted?: (event: Extract<RunEvent, { kind: K }>) => boolean,
  ): Promise<Extract<RunEvent, { kind: K }>>;
  /** As Ctrl-C does; at the end of the test at the latest. @throws what it failed with */
  stop(): Promise<void>;
}

export async function followInProcess(
  t: TestContext,
  env: Readonly<Record<string, string>>,
  limits: Partial<FollowLimits>,
): Promise<FollowingHere> {
  const config = readConfig('start', { follow: true }, { CLUSTER_IMPLEMENTATION: 'inline', ...env });
  const events: RunEvent[] = [];
  const asked = new AbortController();
  const pools = await createPools(config.clusterImplementation);
  const failure: { error?: unknown } = {};
  const running = migrate(config, {
    ...{ signal: asked.signal, isTrial: false, planFile: null, transform: null, pools },
    listeners: [
      {
        onEvent: (event) => {
          events.push(event);
        },
      },
    ],
    limits: { ...followLimits, ...limits },
  }).then(
    () => undefined,
    (error: unknown) => {
      if (!(error instanceof InterruptedError)) failure.error = error;
    },
  );
  const stop = async (): Promise<void> => {
    asked.abort(new InterruptedError('SIGINT'));
    await running;
    if ('error' in failure) throw failure.error;
  };
  cleanUp(t, () => stop().catch(() => undefined));
  return {
    events,
    stop,
    until: async (kind, isWanted = () => true) => {
      const isIt = (event: RunEvent): boolean =>
        event.kind === kind && isWanted(event as Extract<RunEvent, { kind: typeof kind }>);
      await waitUntil(`it reports ${kind}`, () => {
        if ('error' in failure) throw failure.error;
        return Promise.resolve(events.some(isIt));
      });
      return events.find(isIt) as Extract<RunEvent, { kind: typeof kind }>;
    },
  };
}
