/** Describes streams, as the ledger has them. */

import { formatCount, formatDuration, formatPlural } from '../../common/format.ts';
import { invoke } from '../../config/invocation.ts';
import { describeProof } from '../../observe/proof.ts';
import type { StreamStatus } from '../../observe/status.ts';

export function describeStream(status: StreamStatus): string {
  const { streamId, sourceDb, selection, schema, openedAt, cutOverAt } = status;
  const { inserted, updated, deleted, events, proofs } = status;
  const changes = Object.entries(events).map(([kind, count]) => `${formatCount(count)} ${kind}`);
  return [
    `stream ${streamId}: ${sourceDb} (${selection}) → schema ${schema}: ${describeLag(status)}`,
    `  begun ${formatTime(openedAt)}${cutOverAt === null ? '' : ` · cut over ${formatTime(cutOverAt)}`}`,
    `  read ${changes.length === 0 ? 'no changes' : changes.join(', ')}; rows inserted ${formatCount(inserted)}, updated ${formatCount(updated)}, deleted ${formatCount(deleted)}`,
    ...proofs.map((proof) => `  ${proof.collection}: ${describeProof(proof)}`),
    `  next: ${nextStepOfStream(status)}`,
  ].join('\n');
}

export function nextStepOfStream({ state, obstacles }: Pick<StreamStatus, 'state' | 'obstacles'>): string {
  switch (state) {
    case 'following':
      return obstacles.length === 0
        ? `stop all writes to MongoDB, then ${invoke('cutover')}`
        : 'nothing, it is running';
    case 'stopped':
      return 'run the same command again: it resumes where it stopped';
    case 'cut over':
      return 'nothing; the application may write to PostgreSQL';
    case 'given up':
      return 'nothing, a later one has taken its place';
  }
}

function describeLag({ state, lagMs, waiting, refused, oplogWindowMs, obstacles }: StreamStatus): string {
  if (state === 'cut over' || state === 'given up') return state;
  return [
    state,
    lagMs === 0 ? 'caught up' : `${formatDuration(lagMs)} behind`,
    `${formatPlural(waiting, 'change')} waiting`,
    ...(refused > 0 ? [`${formatCount(refused)} of them refused`] : []),
    ...(oplogWindowMs === null ? [] : [`oplog window ${formatDuration(oplogWindowMs)}`]),
    `can cut over: ${obstacles.length === 0 ? 'yes' : `no (${obstacles.join('; ')})`}`,
  ].join(' · ');
}

function formatTime(time: Date): string {
  return `${time.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}
