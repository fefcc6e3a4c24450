/** Describes the events of a run, for everything that shows them. */

import type { FollowingEvent } from './follow-events.ts';
import type { HostLeftEvent, ProgressEvent, RunEvent, StartedEvent, VerifyingEvent } from './events.ts';
import { formatCount, formatDuration, formatMegabytes, formatPlural } from '../common/format.ts';
import { describeIndex } from './describe-index.ts';

/** @returns one line; null for events that are shown elsewhere: in the summary, or as the error of the command */
export function describeEvent(event: RunEvent): string | null {
  switch (event.kind) {
    case 'notice':
      return event.message;
    case 'skipped':
      return `${event.source} is skipped: ${event.reason}`;
    case 'started':
      return describeStart(event);
    case 'progress':
      return describeProgress(event);
    case 'worker-died': {
      const what = `worker ${event.id} ${event.how}`;
      return event.isReplaced ? `${what}; a replacement is started and its batches are redelivered` : what;
    }
    case 'retried':
      if (event.reason === null) return null;
      return event.server === 'mongodb'
        ? `retrying MongoDB (${event.reason})`
        : `reconnecting to PostgreSQL (${event.reason})`;
    case 'host-waiting':
      return 'waiting for a host to begin';
    case 'host-joined':
      return `this is host ${event.hostId} (${event.name})`;
    case 'lead-taken':
      return `this host is now the leader, in place of ${event.from}`;
    case 'host-left':
      return `the host ${event.name} sent no heartbeat and is declared dead; ${describeReleased(event)} released`;
    case 'host-merging':
      return `this host merges the changes of ${formatPlural(event.slots, 'slot')}`;
    case 'host-copied':
      return `${event.source}: this host has copied ${formatPlural(event.documents, 'document')} in ${formatPlural(event.ranges, 'range')}`;
    case 'host-compared':
      return `${event.source}: this host has compared ${formatPlural(event.documents, 'document')} in ${formatPlural(event.ranges, 'range')}`;
    case 'failed':
      if (!event.isAlone) return null;
      return `${event.source} ${event.work === 'copy' ? 'failed' : 'could not be compared'}: ${event.message}`;
    case 'finishing':
      return `${event.source}: building the primary key`;
    case 'index':
      return `${event.source}: ${describeIndex(event)}`;
    case 'verifying':
      return describeVerifying(event);
    case 'following':
      return describeFollowing(event);
    case 'cut-over':
      return `${event.source} is cut over${describeLeftOut(event.leftOut)}: rows and documents are equal, and following has ended`;
    case 'summary':
    case 'verified':
      return null;
  }
}

function describeReleased({ waiting, slots }: HostLeftEvent): string {
  const ranges = formatPlural(waiting, 'range');
  return slots === 0 ? ranges : `${ranges} and ${formatPlural(slots, 'slot')}`;
}

function describeLeftOut(leftOut: readonly string[]): string {
  return leftOut.length === 0 ? '' : ` without ${leftOut.join(', ')}`;
}

function describeFollowing(event: FollowingEvent): string {
  const { source, lagMs, waiting, changesPerSecond, refused, obstacles } = event;
  const parts = [
    `following ${source}`,
    lagMs === 0 ? 'caught up' : `${formatDuration(lagMs)} behind`,
    `${formatPlural(waiting, 'change')} waiting`,
    `${formatCount(changesPerSecond)} changes/s`,
    ...(refused > 0 ? [`${formatPlural(refused, 'row')} rejected for now`] : []),
    `can cut over: ${obstacles.length === 0 ? 'yes' : `no (${obstacles.join('; ')})`}`,
  ];
  return parts.join(' · ');
}

function describeStart({ source, plan, expectedDocuments, workers }: StartedEvent): string {
  const documents = formatPlural(expectedDocuments, 'document');
  return `${source} → ${plan.schema}.${plan.table}: ${documents}, ${formatPlural(workers, 'worker')}`;
}

function describeVerifying({ source, table, run, workers }: VerifyingEvent): string {
  return `comparing ${source} with ${table}, copied by ${run}; ${formatPlural(workers, 'worker')}`;
}

function describeProgress(event: ProgressEvent): string {
  const { documents, expectedDocuments: total, committedBefore, bytes, elapsedMs, workers } = event;
  // The speed is that of this process: what an earlier one has committed does not count.
  const done = documents - committedBefore;
  const bytesDone = documents === 0 ? 0 : (bytes * done) / documents;
  const perSecond = (amount: number): number => (amount * 1000) / elapsedMs;
  const share = total > 0 ? ` (${Math.min(100, Math.floor((documents * 100) / total))}%)` : '';
  const left = total - documents;
  const eta = left > 0 && done > 0 ? `ETA ${formatDuration((left * elapsedMs) / done)}` : 'ETA 0 s';
  return [
    `${formatCount(documents)} / ${formatCount(total)} documents${share}`,
    `${formatCount(perSecond(done))} docs/s`,
    `${formatMegabytes(perSecond(bytesDone))}/s`,
    eta,
    formatPlural(workers, 'worker'),
  ].join(' · ');
}
