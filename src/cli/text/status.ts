/** Puts what the ledger tells of jobs and runs into words. */

import { formatCount, formatMegabytes, formatPlural } from '../../common/format.ts';
import type { JobState, JobStatus } from '../../postgres/ledger/job-status.ts';
import type { RunStatus } from '../../postgres/ledger/run-status.ts';
import { describeExtra, describeLetters } from './summary.ts';
import { invoke } from '../../config/invocation.ts';

export function describeStatus(status: RunStatus): string {
  const { runId, jobId, source, table, state, startedAt, documents, copied, deadLettered, bytes } = status;
  const { documentsPerSecond, openRanges, deadLetters, extra } = status;
  const rate = documentsPerSecond === null ? '' : ` · ${formatCount(documentsPerSecond)} docs/s`;
  const job = jobId === null ? '' : `, part of job ${jobId}`;
  const ranges = openRanges === 0 ? '' : ` · ${formatPlural(openRanges, 'range')} of _id open`;
  return [
    `run ${runId}: ${source} → ${table}: ${state}${job}`,
    `  started ${formatTime(startedAt)}${describeEnds(status)}`,
    `  read ${formatCount(documents)} = copied ${formatCount(copied)} + dead-lettered ${formatCount(deadLettered)}` +
      ` · ${formatMegabytes(bytes)}${rate}${ranges}`,
    ...describeLetters(deadLetters, runId),
    ...describeExtra(extra),
    `  next: ${nextStep(status)}`,
  ].join('\n');
}

/** A line for the job, one for each of its collections. */
export function describeJob(job: JobStatus): string {
  const { jobId, sourceDb, selection, schema, state, startedAt, finishedAt, collections } = job;
  const finished = collections.filter((one) => one.state === 'finished').length;
  const end = finishedAt === null ? '' : ` · finished ${formatTime(finishedAt)}`;
  const width = Math.max(0, ...collections.map(({ collection }) => collection.length));
  return [
    `job ${jobId}: ${sourceDb} (${selection}) → schema ${schema}: ${state}`,
    `  started ${formatTime(startedAt)}${end} · ${finished} of ${formatPlural(collections.length, 'collection')} finished`,
    ...collections.map(({ collection, state: its, runId, detail }) => {
      const run = runId === null ? '' : ` (run ${runId})`;
      const why = detail === null ? '' : `: ${detail}`;
      return `  ${collection.padEnd(width)}  ${its.replaceAll('_', ' ')}${run}${why}`;
    }),
    `  next: ${nextStepOfJob(state)}`,
  ].join('\n');
}

export function nextStepOfJob(state: JobState): string {
  switch (state) {
    case 'running':
      return 'nothing, it is at work';
    case 'stopped':
      return 'the command that started it resumes with what is not finished';
    case 'finished':
      return `nothing; ${invoke('verify')} compares all of it with MongoDB`;
  }
}

export function nextStep({
  state,
  deadLettered,
  isTableThere,
}: Pick<RunStatus, 'state' | 'deadLettered' | 'isTableThere'>): string {
  if (!isTableThere && state === 'finished') {
    return 'its table was dropped since; the command that started it copies everything again';
  }
  if (!isTableThere && (state === 'stopped' || state === 'loaded')) {
    return 'its table was dropped since; the command that started it copies everything again with --restart';
  }
  switch (state) {
    case 'running':
      return 'nothing, it is at work';
    case 'stopped':
      return 'the command that started it resumes where it stopped';
    case 'loaded':
      return 'the command that started it builds the missing keys and indexes';
    case 'replaced':
      return 'nothing, a later run has taken its place';
    case 'finished':
      return deadLettered > 0
        ? `fix the table, then ${invoke('retry')}; or change the plan, and copy everything again with --restart`
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
