/** Puts what the ledger tells of runs into words. */

import { formatCount, formatMegabytes, formatPlural } from './format.ts';
import type { RunState, RunStatus } from './postgres/run-status.ts';
import { describeLetters } from './summary.ts';
import { invoke } from './invocation.ts';

/** How many fields are listed before "and … more". */
const maxListed = 10;

export function describeStatus(status: RunStatus): string {
  const { runId, jobId, source, table, state, startedAt, documents, copied, deadLettered, bytes } = status;
  const { documentsPerSecond, openRanges, deadLetters, extra } = status;
  const rate = documentsPerSecond === null ? '' : ` · ${formatCount(documentsPerSecond)} docs/s`;
  const job = jobId === null ? '' : `, part of job ${jobId}`;
  const ranges = openRanges === 0 ? '' : ` · ${formatPlural(openRanges, 'range')} of _id open`;
  const listed = extra.slice(0, maxListed).map(({ field, type, reason, count }) => {
    return `  _extra: ${formatPlural(count, 'value')} of ${JSON.stringify(field)} (${type}, ${reason.replaceAll('_', ' ')})`;
  });
  return [
    `run ${runId}: ${source} → ${table}: ${state}${job}`,
    `  begun ${formatTime(startedAt)}${describeEnds(status)}`,
    `  read ${formatCount(documents)} = copied ${formatCount(copied)} + dead-lettered ${formatCount(deadLettered)}` +
      ` · ${formatMegabytes(bytes)}${rate}${ranges}`,
    ...describeLetters(deadLetters, runId),
    ...listed,
    ...(extra.length > maxListed ? [`  … and ${extra.length - maxListed} more fields in _extra`] : []),
    `  next: ${nextStep(state, deadLettered)}`,
  ].join('\n');
}

export function nextStep(state: RunState, deadLettered: number): string {
  switch (state) {
    case 'running':
      return 'nothing, it is at work';
    case 'stopped':
      return 'the command that began it goes on where it stopped';
    case 'loaded':
      return 'the command that began it builds the keys and indexes that are missing';
    case 'replaced':
      return 'nothing, a later run has taken its place';
    case 'finished':
      return deadLettered > 0
        ? `mend the table or the plan, then ${invoke('retry')}`
        : `nothing; ${invoke('verify')} compares it with MongoDB`;
  }
}

function describeEnds({ loadedAt, finishedAt }: RunStatus): string {
  const loaded = loadedAt === null ? '' : ` · loaded ${formatTime(loadedAt)}`;
  return finishedAt === null ? loaded : `${loaded} · finished ${formatTime(finishedAt)}`;
}

function formatTime(time: Date): string {
  return `${time.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}
