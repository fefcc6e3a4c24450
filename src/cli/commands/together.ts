/** What the commands of several hosts have in common: `start --hosts`, `verify --hosts` and `join`. */

import type { Config } from '../../config/config.ts';
import { embedded } from '../../config/server-urls.ts';
import { ExitCode, UsageError } from '../../common/errors.ts';
import type { HostTask } from '../../postgres/ledger/hosts/hosts.ts';
import { workTogether as takePartIn, type Led, type LeaderWork } from '../../run/hosts/host-job.ts';
import { leadCopy, type CopyOptions } from '../../run/hosts/lead-copy.ts';
import type { Verified } from '../../run/verify/verify.ts';
import { warmUp } from '../../workers/pool/warm-pool.ts';
import { reportFailures } from '../text/failures.ts';
import type { CommandOptions } from './command-options.ts';
import { codeOfComparison, compareAll } from './comparison.ts';
import { codeOfCopy, listFailed, recorded, reportCopied, uncompared } from './copied.ts';
import { readStartOptions } from './start-options.ts';

/** @param begins null: joins what another host has begun @throws MigrationError */
export async function workTogether(
  config: Config,
  options: CommandOptions,
  begins: HostTask | null,
): Promise<ExitCode> {
  requireSharable(config);
  const more = await readStartOptions(config);
  // First, because loading the rest takes as long as workers take to start.
  const pools = await warmUp(config);
  try {
    const code = await recorded(config, options, async (recorders) => {
      const listeners = [...recorders, ...options.listeners];
      const copying = { ...more, listeners, pools };
      return await takePartIn<ExitCode>(config, {
        ...copying,
        ...{ signal: options.signal, begins },
        lead: (work) =>
          work.task === 'copy' ? leadCopying(work, options, copying) : leadComparing(work, options),
      });
    });
    options.progress.close();
    // Another host has led, and reports.
    return code ?? ExitCode.ok;
  } finally {
    await pools.close();
  }
}

async function leadCopying(
  work: LeaderWork,
  options: CommandOptions,
  copying: CopyOptions,
): Promise<Led<ExitCode>> {
  const { config } = work;
  const outcome = await leadCopy(work, copying);
  // Before the comparison, so that it is reported even if the comparison fails.
  reportCopied(config, options.output, outcome);
  const verified = config.verify ? await compare(work, options, listFailed(outcome)) : uncompared;
  reportFailures(config, options.output, verified.failures);
  return {
    result: codeOfCopy(config, outcome, verified),
    failures: [...outcome.failures, ...verified.failures],
    isJobFinished: outcome.failures.length === 0,
  };
}

async function leadComparing(work: LeaderWork, options: CommandOptions): Promise<Led<ExitCode>> {
  const verified = await compare(work, options, new Set());
  return {
    result: codeOfComparison(work.config, options.output, verified),
    failures: verified.failures,
    isJobFinished: false,
  };
}

/** All hosts compare. */
async function compare(
  { config, signal, hosts, key, share, handsOver }: LeaderWork,
  options: CommandOptions,
  leftOut: ReadonlySet<string>,
): Promise<Verified> {
  return await compareAll(
    config,
    { ...options, signal },
    { leftOut, shared: { hosts, key, share, handsOver } },
  );
}

/** @throws UsageError for what several hosts cannot do together */
export function requireSharable({ mongoUrl, postgresUrl, source }: Config): void {
  if (source !== undefined) {
    throw new UsageError('several hosts cannot read a dump', {
      code: 'HOSTS_DUMP',
      fix: 'leave out --hosts: one host reads it.',
    });
  }
  if (mongoUrl.is(embedded) || postgresUrl.is(embedded)) {
    throw new UsageError(
      'several hosts cannot use embedded servers, which listen on their own machine only',
      {
        code: 'HOSTS_EMBEDDED',
        fix: 'set MONGO_URL and POSTGRES_URL to servers that all hosts reach.',
      },
    );
  }
}
