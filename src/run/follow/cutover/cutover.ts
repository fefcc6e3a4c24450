/**
 * Ends following, once writes have stopped: waits for the last change, compares all rows with their documents, and marks the
 * stream. All that it needs is in the ledger and in both databases, so that it can run on any machine that reaches them.
 *
 * asked ──→ no change is to come after T ──→ all up to T is merged ──→ compared ──→ still none came ──→ marked
 *   └── at any step: a change after T, a difference, Ctrl-C: following continues as before
 */

import { UsageError } from '../../../common/errors.ts';
import { reachFailpoint } from '../../../common/failpoints/failpoints.ts';
import { formatPlural } from '../../../common/format.ts';
import { invoke } from '../../../config/invocation.ts';
import type { CutoverState } from '../../../observe/outcome.ts';
import type { VerificationSummary } from '../../../observe/verification-summary.ts';
import { describeProof, isProven } from '../../../observe/proof.ts';
import { hasLedger } from '../../../postgres/ledger/ledger.ts';
import {
  clearEndTime,
  findCutover,
  finishCutover,
  setEndTime,
} from '../../../postgres/ledger/streams/cutover.ts';
import { listProofs } from '../../../postgres/ledger/streams/proofs.ts';
import { findStream } from '../../../postgres/ledger/streams/stream.ts';
import {
  giveUpCollections,
  type StoppedCollection,
} from '../../../postgres/ledger/streams/stopped-collections.ts';
import type { Changes } from '../../../source/changes.ts';
import { dateOf, type ClusterTime } from '../../../source/cluster-time.ts';
import { requestOf } from '../stream-request.ts';
import { requireQuiet, waitUntilMerged, type WaitOptions } from './merged-changes.ts';
import { requireCopied, requireReady, type ReadinessOptions } from './readiness.ts';
import { differ, notReady } from './refusals.ts';

export interface CutoverOptions extends ReadinessOptions, WaitOptions {
  readonly say: (message: string) => void;
  /** Compares everything that is not known to be equal, without the collections that are left out. */
  readonly verify: (of: {
    readonly streamId: string;
    readonly endTime: ClusterTime;
    readonly leftOut: readonly string[];
  }) => Promise<{
    readonly summaries: readonly VerificationSummary[];
    readonly failures: readonly { readonly message: string }[];
  }>;
  /** Builds indexes that were created in MongoDB since the copy. */
  readonly finishTables: (runIds: readonly string[]) => Promise<void>;
}

/** The result, and the collections that were left out. */
export interface CutoverResult<State extends CutoverState> {
  readonly state: State;
  readonly leftOut: readonly StoppedCollection[];
}

/** @returns whether it was cut over before @throws MigrationError with the reason; then following continues */
export async function cutOver(options: CutoverOptions): Promise<CutoverResult<'now' | 'before'>> {
  const { session, signal, say, verify, finishTables } = options;
  const found = await findFollowed(options);
  if (found === 'before') return { state: found, leftOut: [] };
  const { streamId, changes } = found;
  const { leftOut, uncopied } = await requireReady(options, streamId, changes);
  const endTime = await changes.readTime();
  await session.transaction(async (client) => {
    await giveUpCollections(client, streamId, leftOut);
    await setEndTime(client, streamId, endTime);
  });
  say(`waiting for all changes up to ${dateOf(endTime).toISOString()}`);
  try {
    await waitUntilMerged(options, streamId, endTime, endTime);
    await reachFailpoint('cutover-before-verify');
    say('all changes are merged; comparing');
    const without = [...leftOut.map(({ collection }) => collection), ...uncopied];
    const { summaries, failures } = await verify({ streamId, endTime, leftOut: without });
    const [failure] = failures;
    const isEqual = summaries.every(isProven);
    // Detects changes that were written during the comparison.
    const provenTime = await changes.readTime();
    await waitUntilMerged(options, streamId, provenTime, endTime);
    if (failure !== undefined) throw differ(`not all collections could be compared: ${failure.message}`);
    if (!isEqual) throw differ();
    // Another change may have arrived since the last check.
    await requireCopied(options, streamId);
    const runIds = summaries.map(({ runId }) => runId);
    await finishTables(runIds);
    await reachFailpoint('cutover-before-mark');
    signal.throwIfAborted();
    const account = {
      endTime: String(endTime),
      leftOut: leftOut.map(({ collection }) => collection),
      rows: Object.fromEntries(summaries.map(({ source, rows }) => [source, rows])),
    };
    if (!(await session.transaction((client) => finishCutover(client, streamId, account)))) {
      await requireQuiet(options, streamId, endTime);
      throw notReady('changes came in at the last moment', 'stop all writes, and run the cutover again.');
    }
    await reachFailpoint('cutover-after-mark');
    return { state: 'now', leftOut };
  } catch (error) {
    await session.run((client) => clearEndTime(client, streamId)).catch(() => undefined);
    throw error;
  }
}

/** Reports whether a cutover is possible, without changing anything. @throws MigrationError if it is not */
export async function checkCutover(options: CutoverOptions): Promise<CutoverResult<'ready' | 'before'>> {
  const found = await findFollowed(options);
  if (found === 'before') return { state: found, leftOut: [] };
  const { leftOut } = await requireReady(options, found.streamId, found.changes);
  await requireNoDifference(options, found.streamId);
  return { state: 'ready', leftOut };
}

/** Uses the results of comparisons while following. @throws MigrationError if documents differ */
async function requireNoDifference({ session, say }: CutoverOptions, streamId: string): Promise<void> {
  const proofs = await session.run((client) => listProofs(client, streamId));
  for (const proof of proofs) say(`${proof.collection}: ${describeProof(proof)}`);
  const different = proofs.reduce((sum, proof) => sum + proof.different, 0);
  if (different > 0) throw differ(`${formatPlural(different, 'document')} and rows differ`);
}

async function findFollowed({
  config,
  session,
  database,
}: CutoverOptions): Promise<'before' | { readonly streamId: string; readonly changes: Changes }> {
  const request = requestOf(config, database);
  const { changes } = database;
  if (await session.run(hasLedger)) {
    const stream = await session.run((client) => findStream(client, request));
    if (stream !== null && changes !== undefined) return { streamId: stream.streamId, changes };
    if ((await session.run((client) => findCutover(client, request))) !== null) return 'before';
  }
  throw new UsageError(
    `no collection of ${request.sourceDb} (${request.selection}) is followed into the schema ${request.schema}`,
    {
      code: 'NOT_FOLLOWED',
      fix: `set MONGO_DB, MONGO_COLLECTION and POSTGRES_SCHEMA as they were for ${invoke('start', '--follow')}.`,
    },
  );
}
