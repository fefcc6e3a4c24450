/** A host of a test that is held at a failpoint, where it can be suspended until another has what it had. */

import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { FailpointName } from '../../src/common/failpoints/rules.ts';
import type { RunningCli } from './cli.ts';
import { setFailpoints, type FailpointRules, type Failpoints } from './failpoints.ts';
import type { Scene } from './fault.ts';
import { declareDead, join, waitForHostId } from './hosts.ts';

type Env = Readonly<Record<string, string>>;

export interface HeldHost {
  readonly run: RunningCli;
  readonly hostId: string;
  readonly failpoints: Failpoints;
  /** It continues from where it is held. */
  readonly resume: () => Promise<void>;
}

/**
 * @param start `begin`, `beginVerifying` or `join`
 * @param rules the first is where it is held, the others come later
 */
export async function holdHost(
  t: TestContext,
  scene: Scene,
  start: (t: TestContext, scene: Scene, env: Env) => RunningCli,
  rules: FailpointRules,
  env: Env,
): Promise<HeldHost> {
  const failpoints = await setFailpoints(t, rules);
  const place = firstOf(rules);
  const run = start(t, scene, { ...env, ...failpoints.env });
  await failpoints.waitUntilFired(place);
  const hostId = await waitForHostId(scene, run);
  return { run, hostId, failpoints, resume: () => failpoints.resume(place) };
}

/**
 * Suspends a leader. Another host joins, leads once the first is declared dead, and is held in turn.
 * @param rules where the other is held
 */
export async function takeOverFrom(
  t: TestContext,
  scene: Scene,
  leader: HeldHost,
  rules: FailpointRules,
  env: Env,
): Promise<HeldHost> {
  leader.run.process.kill('SIGSTOP');
  const failpoints = await setFailpoints(t, rules);
  const place = firstOf(rules);
  const run = join(t, scene, { ...env, ...failpoints.env });
  const hostId = await waitForHostId(scene, run);
  await declareDead(scene, leader.hostId);
  await failpoints.waitUntilFired(place);
  return { run, hostId, failpoints, resume: () => failpoints.resume(place) };
}

/** A suspended host continues from where it is held, finds that it was declared dead, and joins again. */
export async function wake(scene: Scene, { run, resume }: HeldHost): Promise<void> {
  await resume();
  run.process.kill('SIGCONT');
  await waitForHostId(scene, run);
}

function firstOf(rules: FailpointRules): FailpointName {
  const [place] = Object.keys(rules) as FailpointName[];
  assert.ok(place !== undefined);
  return place;
}
