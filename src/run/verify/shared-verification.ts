/** The verification of a collection by several hosts, for the one that leads it. */

import { reachFailpoint } from '../../common/failpoints/failpoints.ts';
import type { Tally } from '../../postgres/compare/tally.ts';
import {
  beginVerification,
  closeVerification,
  readVerificationTally,
  resumeVerification,
  type HostVerification,
} from '../../postgres/ledger/hosts/host-verifications.ts';
import type { HostWork } from '../../postgres/ledger/hosts/host-work.ts';
import { requireLeading, type HostsKey } from '../../postgres/ledger/hosts/hosts.ts';
import type { HandsOver } from '../failure.ts';
import { Comparing, type ComparingOptions } from './comparing.ts';

export interface LeadVerifying {
  readonly hosts: HostWork;
  readonly key: HostsKey;
  readonly handsOver: HandsOver;
}

type LeadComparingOptions = Omit<ComparingOptions, 'shared'>;

/**
 * Has all hosts compare; what an earlier leader had compared is kept.
 * @returns the sum of what all hosts have found
 */
export async function compareShared(
  { hosts, key }: Pick<LeadVerifying, 'hosts' | 'key'>,
  options: LeadComparingOptions,
): Promise<Tally> {
  const { session } = options;
  const { verificationId } = await openVerification({ hosts, key }, options);
  try {
    const shared = { verificationId, hosts, waitsForAll: true };
    await new Comparing({ ...options, shared }).execute();
    await reachFailpoint('primary-before-tally');
    return await session.transaction(async (client) => {
      // Another leader reports the result of one that was declared dead and does not know yet.
      await requireLeading(client, hosts.hostId);
      return await readVerificationTally(client, verificationId);
    });
  } finally {
    await session
      .transaction((client) => closeVerification(client, hosts, verificationId))
      .catch(() => undefined);
  }
}

async function openVerification(
  { hosts, key }: Pick<LeadVerifying, 'hosts' | 'key'>,
  { config, session, source, run, division }: LeadComparingOptions,
): Promise<HostVerification> {
  const collection = { runId: run.runId, collectionId: source.identity };
  const begun = await session.transaction((client) => resumeVerification(client, hosts, key, collection));
  if (begun !== null) return begun;
  const intervals = await division.intervals(config.itemsPerPage, await source.estimateCount());
  return await session.transaction((client) => beginVerification(client, hosts, key, collection, intervals));
}
