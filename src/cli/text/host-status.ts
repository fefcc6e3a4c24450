/** Status of the hosts that copy or verify together, as text. */

import { formatCount, formatDuration, formatPlural } from '../../common/format.ts';
import type { HostStatus, SharedWorkStatus } from '../../observe/status.ts';

export function describeHost(host: HostStatus): string {
  const { hostId, name, task, state, sourceDb, selection, schema, connections, silentMs, slots } = host;
  const isMember = state === 'leads' || state === 'takes part';
  const verb = task === 'verify' ? ' a verification' : '';
  const parts = [
    ...(task === 'copy' ? describeCopied(host, isMember) : []),
    ...(slots === 0 ? [] : [formatPlural(slots, 'slot')]),
    ...(isMember && connections !== null ? [`${formatPlural(connections, 'connection')} at most`] : []),
    `last heartbeat ${formatDuration(silentMs)} ago`,
  ];
  return [
    `host ${hostId}: ${name}: ${state}${isMember ? verb : ''}: ${sourceDb} (${selection}) → schema ${schema}`,
    `  ${parts.join(' · ')}`,
    ...describeBuilt(host),
    ...describeCompared(host),
  ].join('\n');
}

function describeCopied(
  { rangesTaken, rangesRead, documents, documentsPerSecond }: HostStatus,
  isMember: boolean,
): string[] {
  return [
    `${formatPlural(rangesTaken, 'range')} taken, ${formatCount(rangesRead)} read`,
    formatPlural(documents, 'document'),
    ...(isMember ? [`${formatCount(documentsPerSecond)} docs/s`] : []),
  ];
}

function describeBuilt({ builds }: HostStatus): string[] {
  return builds === 0 ? [] : [`  ${formatPlural(builds, 'key or index', 'keys and indexes')} built`];
}

function describeCompared(host: HostStatus): string[] {
  const { task, rangesComparing, rangesCompared, documentsCompared, comparedPerSecond } = host;
  if (task === 'copy' && rangesComparing + rangesCompared === 0) return [];
  const parts = [
    `  verification: ${formatPlural(rangesComparing, 'range')} taken, ${formatCount(rangesCompared)} compared`,
    formatPlural(documentsCompared, 'document'),
    ...(comparedPerSecond === null ? [] : [`${formatCount(comparedPerSecond)} docs/s`]),
  ];
  return [parts.join(' · ')];
}

export function describeSharedWork({
  kind,
  runId,
  source,
  total,
  done,
  taken,
  documents,
}: SharedWorkStatus): string {
  if (kind === 'builds') {
    return `hosts build ${source} (run ${runId}): ${formatCount(done)} of ${formatPlural(total, 'key or index', 'keys and indexes')} built`;
  }
  const ranges = `${formatCount(done)} of ${formatPlural(total, 'range')} compared, ${formatCount(taken ?? 0)} taken`;
  return `hosts verify ${source} (run ${runId}): ${ranges} · ${formatPlural(documents ?? 0, 'document')}`;
}
