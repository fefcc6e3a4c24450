/** Describes jobs and runs, as the ledger has them. */

import { formatCount, formatMegabytes, formatPlural } from '../../common/format.ts';
import type { PromotableField } from '../../observe/promotion.ts';
import type { JobState, JobStatus, RunStatus } from '../../observe/status.ts';
import { describePromotable, describePromoted } from './promotion.ts';
import { describeExtra, describeLetters, describeParts } from './summary.ts';
import { invoke } from '../../config/invocation.ts';

/** @param promotable fields that may be worth a column */
export function describeStatus(status: RunStatus, promotable: readonly PromotableField[] = []): string {
  const { runId, jobId, source, table, state, startedAt, documents, bytes } = status;
  const { documentsPerSecond, openRanges, deadLetters, extra, promotions } = status;
  const rate = documentsPerSecond === null ? '' : ` · ${formatCount(documentsPerSecond)} docs/s`;
  const job = jobId === null ? '' : `, part of job ${jobId}`;
  const ranges = openRanges === 0 ? '' : ` · ${formatPlural(openRanges, 'range')} of _id open`;
  return [
    `run ${runId}: ${source} → ${table}: ${state}${job}`,
    `  started ${formatTime(startedAt)}${describeEnds(status)}`,
    `  read ${formatCount(documents)} = ${describeParts(status)}` +
      ` · ${formatMegabytes(bytes)}${rate}${ranges}`,
    ...describeLetters(deadLetters, runId),
    ...describeExtra(extra),
    ...promotions.map((promotion) => describePromoted(promotion, table)),
    ...promotable.map((field) => describePromotable(field, table)),
    `  next: ${nextStep(status)}`,
  ].join('\n');
}

/** Describes a job, with a line for each of its collections. */
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
      return 'nothing, it is running';
    case 'stopped':
      return 'run the same command again: it resumes with what is not finished';
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
    return 'its table was dropped since; run the same command again to copy everything';
  }
  if (!isTableThere && (state === 'stopped' || state === 'loaded')) {
    return 'its table was dropped since; run the same command with --restart to copy everything again';
  }
  switch (state) {
    case 'running':
      return 'nothing, it is running';
    case 'stopped':
      return 'run the same command again: it resumes where it stopped';
    case 'loaded':
      return 'run the same command again: it builds the missing keys and indexes';
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
