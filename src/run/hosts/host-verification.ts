/** The part of a verification that a host compares without leading: it takes ranges, and its own workers compare them. */

import { NoCollectionError, NothingToCopyError } from '../../common/errors.ts';
import { collectionOf } from '../../common/namespace.ts';
import type { Config } from '../../config/config.ts';
import type { Listeners } from '../../observe/listeners.ts';
import { qualifiedName } from '../../postgres/connection/relations.ts';
import type { Session } from '../../postgres/connection/session.ts';
import type { HostVerification } from '../../postgres/ledger/hosts/host-verifications.ts';
import type { HostWork } from '../../postgres/ledger/hosts/host-work.ts';
import { describeRun } from '../../postgres/ledger/run-decision.ts';
import { findRunById } from '../../postgres/ledger/runs.ts';
import type { Database } from '../../source/database.ts';
import { Division } from '../../source/reading/division.ts';
import { withTransformOf } from '../../plan/choose-transform.ts';
import type { TransformFile } from '../../transcode/plan.ts';
import type { Workforce } from '../workforce.ts';
import { Comparing } from '../verify/comparing.ts';
import { openCopied } from '../verify/copied-source.ts';
import { hostDiffers } from './agreement.ts';

export interface HostVerificationOptions {
  readonly config: Config;
  readonly session: Session;
  readonly workforce: Workforce;
  readonly database: Database;
  readonly hosts: HostWork;
  readonly listeners: Listeners;
  readonly signal: AbortSignal;
  /** The transform's module as it is on this host. */
  readonly transform: TransformFile | null;
}

/** @returns what this host has compared; null if there was nothing for it to do. @throws MigrationError, or the signal's reason */
export async function compareRanges(
  { verificationId, runId, collectionId }: HostVerification,
  options: HostVerificationOptions,
): Promise<{ readonly source: string; readonly documents: number; readonly ranges: number } | null> {
  const { config, session, workforce, database, hosts, listeners, signal, transform } = options;
  const { onEvent } = listeners;
  const found = await session.run((client) => findRunById(client, runId));
  if (found === null) return null;
  const { settings } = found;
  const plan = await withTransformOf(settings.plan, transform?.file);
  const run = { ...found, settings: { ...settings, plan } };
  const collection = collectionOf(settings.source);
  const source = await openCopied(database, collection, run, session).catch((error: unknown) => {
    // The leader reports that there is nothing to compare any more.
    if (error instanceof NothingToCopyError || error instanceof NoCollectionError) return null;
    throw error;
  });
  if (source === null) return null;
  if (source.identity !== collectionId) {
    throw hostDiffers('the leader', [`MONGO_URL has another collection ${source.name}`]);
  }
  const supervisor = await workforce.supervise();
  const expectedDocuments = Math.round((await source.estimateCount()) * config.sample);
  supervisor.expect(Infinity);
  onEvent({
    kind: 'verifying',
    source: source.name,
    table: qualifiedName(run.settings.plan),
    run: describeRun(run),
    expectedDocuments,
    workers: supervisor.size,
  });
  const comparing = new Comparing({
    ...{ config, session, supervisor, source, run, expectedDocuments, onEvent, signal },
    division: new Division(source, config.readRanges),
    shared: { verificationId, hosts, waitsForAll: false },
  });
  await comparing.execute();
  return { source: source.name, documents: comparing.tally.counts.compared, ranges: comparing.ranges };
}
