/** The failpoints there are, and the grammar by which a test says what happens at them. */

import { UsageError } from '../errors.ts';

/** Named after the process and the moment. To add one, add a line here and a call of `reachFailpoint`. */
export const failpointNames = [
  'worker-before-connect',
  'worker-before-ready',
  'worker-before-claim',
  'worker-transcode',
  'worker-in-copy',
  'worker-before-commit',
  'worker-before-ack',
  'primary-in-script',
  'primary-after-script',
  'primary-after-plan',
  'primary-after-ack',
  'primary-after-split',
  'primary-at-range-end',
  'host-before-take-commit',
  'host-after-take',
  'host-before-range-end',
  'host-before-build',
  'host-before-build-commit',
  'host-after-compared-page',
  'host-before-join',
  'host-before-join-commit',
  'host-before-failover',
  'primary-before-load-checkpoint',
  'primary-before-tally',
  'primary-before-second-look',
  'primary-in-fold',
  'primary-in-partition-key',
  'primary-in-index-build',
  'primary-before-finish',
  'primary-after-finish',
  'primary-reads-changes',
  'primary-before-journal',
  'primary-before-drain',
  'worker-in-merge',
  'worker-before-merge-commit',
  'primary-after-drain',
  'primary-after-verification-begins',
  'primary-before-verified-page',
  'primary-after-verified-page',
  'primary-before-generation',
  'primary-before-notes-removed',
  'worker-before-settle',
  'cutover-before-verify',
  'cutover-before-mark',
  'cutover-after-mark',
  'promote-before-begin',
  'promote-after-begin',
  'promote-in-page',
  'promote-after-page',
  'promote-before-finish',
  'promote-after-finish',
] as const;
export type FailpointName = (typeof failpointNames)[number];

/**
 * `kill`: SIGKILL to itself, or the sudden end of the thread. `exit`: ends with code 0, as if all were well. `hang`: blocks the event loop for good.
 * `pause`: waits until resumed. `error`: throws. `drop` and `double` are returned to the caller, which drops or repeats its message.
 */
const actions = ['kill', 'exit', 'hang', 'pause', 'error', 'drop', 'double'] as const;
export type FailpointAction = (typeof actions)[number];

export interface FailpointRule {
  readonly name: FailpointName;
  readonly action: FailpointAction;
  /** Only a hit whose bytes contain these counts. */
  readonly bytes: Buffer | undefined;
  /** The first hit at which it fires, from 1, counted over all processes. */
  readonly firstHit: number;
  /** How often it fires at most, over all processes; may be Infinity. */
  readonly maxFirings: number;
}

/** The modifiers have a fixed order, so that hex digits are not confused with what follows them. */
const grammar = 'NAME=ACTION[?HEX][@FIRST-HIT][xTIMES], several separated by ";"';
const rulePattern = /^([\w-]+)=([a-z]+?)(?:\?((?:[\da-f]{2})+))?(?:@([1-9]\d*))?(?:x([1-9]\d*|\*))?$/;

/** @throws UsageError, because with a misspelt failpoint a test would test nothing */
export function parseFailpointRules(text: string): ReadonlyMap<FailpointName, FailpointRule> {
  const rules = new Map<FailpointName, FailpointRule>();
  for (const part of text.split(';')) {
    const rule = parseRule(part.trim());
    if (rules.has(rule.name)) {
      throw new UsageError(`the failpoint ${rule.name} is set twice`, { code: 'FAILPOINT_INVALID' });
    }
    rules.set(rule.name, rule);
  }
  return rules;
}

function parseRule(text: string): FailpointRule {
  const match = rulePattern.exec(text);
  if (match === null) {
    throw new UsageError(`not a failpoint: "${text}"`, {
      code: 'FAILPOINT_INVALID',
      fix: `Write ${grammar}.`,
    });
  }
  const [, name = '', action = '', hex, firstHit = '1', times = '1'] = match;
  return {
    name: requireOneOf(failpointNames, name, 'failpoint'),
    action: requireOneOf(actions, action, "failpoint's action"),
    bytes: hex === undefined ? undefined : Buffer.from(hex, 'hex'),
    firstHit: Number(firstHit),
    maxFirings: times === '*' ? Infinity : Number(times),
  };
}

function requireOneOf<T extends string>(known: readonly T[], text: string, what: string): T {
  const found = known.find((name) => name === text);
  if (found !== undefined) return found;
  throw new UsageError(`unknown ${what} "${text}"`, {
    code: 'FAILPOINT_INVALID',
    fix: `Known are: ${known.join(', ')}.`,
  });
}
