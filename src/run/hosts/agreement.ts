/** What must be the same on all hosts, and the error for a host that differs. */

import { hostname } from 'node:os';
import process from 'node:process';
import { UsageError } from '../../common/errors.ts';
import { readToolVersion } from '../../common/tool-version.ts';
import { describeSelection } from '../../config/collection-choice.ts';
import type { Config } from '../../config/config.ts';
import { options } from '../../config/options.ts';
import { describeChoices } from '../../plan/choices.ts';
import type { PlanFile } from '../../plan/file/plan-schema.ts';
import type { HostIdentity, HostRow, HostsKey, HostTask } from '../../postgres/ledger/hosts/hosts.ts';
import type { TransformFile } from '../../transcode/plan.ts';
import type { HostLimits } from './host-limits.ts';

/** This process, as the ledger lists it. */
export function describeHost(
  task: HostTask,
  config: Config,
  planFile: PlanFile | null,
  transform: TransformFile | null,
  { deadAfterMs }: HostLimits,
): HostIdentity {
  const settings = {
    ...(task === 'copy' ? settingsOfCopy(config, planFile, transform) : sampleOf(config)),
    'seconds without a heartbeat until a host is declared dead': String(deadAfterMs / 1000),
  };
  return { task, name: `${hostname()}/${process.pid}`, version: readToolVersion(), settings };
}

function settingsOfCopy(
  config: Config,
  planFile: PlanFile | null,
  transform: TransformFile | null,
): HostIdentity['settings'] {
  return {
    ...describeChoices(config, planFile, transform),
    [options.ifExists.env]: config.ifExists ?? 'fail',
    [options.indexes.env]: config.indexes,
    ...(config.follow ? { [options.follow.env]: 'true' } : {}),
    // Any host may become the leader, and then has to verify.
    ...(config.verify ? { [options.verify.env]: 'true', ...sampleOf(config) } : {}),
    ...(config.maxDeadLetters === undefined
      ? {}
      : { [options.maxDeadLetters.env]: String(config.maxDeadLetters) }),
  };
}

/** All that a verification has to choose: what it compares with is in the ledger. */
function sampleOf({ sample }: Pick<Config, 'sample'>): HostIdentity['settings'] {
  return { [options.sample.env]: String(sample) };
}

export function keyOf(config: Config, sourceDb: string): HostsKey {
  return { sourceDb, schema: config.postgresSchema, selection: describeSelection(config) };
}

/** @throws UsageError that names what differs */
export function requireAgreement(own: HostIdentity, other: HostRow & HostsKey): void {
  if (own.task !== other.task) {
    const what = `${other.sourceDb}.${other.selection}`;
    const message =
      other.task === 'copy'
        ? `the host ${other.name} copies ${what}`
        : `the host ${other.name} verifies ${what}`;
    throw new UsageError(message, {
      code: 'HOSTS_BUSY',
      fix: 'wait until the hosts have finished, or stop them; then run the same command again.',
    });
  }
  const differences = listDifferences(own, other);
  if (differences.length > 0) throw hostDiffers(`the host ${other.name}`, differences);
}

/** Where hosts copy something else, this host most likely meant to join them. @throws UsageError that names what differs */
export function requireSameKey(own: HostsKey, others: readonly (HostRow & HostsKey)[]): void {
  const [other] = others;
  if (other === undefined) return;
  const differences = [
    describeDifference(options.mongoDb.env, other.sourceDb, own.sourceDb),
    describeDifference(options.postgresSchema.env, other.schema, own.schema),
    describeDifference(options.mongoCollection.env, other.selection, own.selection),
  ].filter((difference) => difference !== null);
  if (differences.length > 0) throw hostDiffers(`the host ${other.name}`, differences);
}

/** @param there what this host differs from, for the message */
export function hostDiffers(there: string, differences: readonly string[]): UsageError {
  return new UsageError(`this host differs from ${there}: ${differences.join('; ')}`, {
    code: 'HOST_DIFFERS',
    fix: 'give all hosts the same version and the same settings.',
  });
}

function listDifferences(own: HostIdentity, other: HostIdentity): string[] {
  const names = new Set([...Object.keys(other.settings), ...Object.keys(own.settings)]);
  return [
    describeDifference('the version', other.version, own.version),
    ...[...names].map((name) => describeDifference(name, other.settings[name], own.settings[name])),
  ].filter((difference) => difference !== null);
}

function describeDifference(
  name: string,
  there: string | undefined,
  here: string | undefined,
): string | null {
  return there === here ? null : `${name} is ${there ?? 'not set'} there, and ${here ?? 'not set'} here`;
}
