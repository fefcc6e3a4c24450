/** Puts into words what the ledger tells of hosts that copy together. */

import { formatCount, formatDuration, formatPlural } from '../../common/format.ts';
import type { HostStatus } from '../../observe/status.ts';

export function describeHost(host: HostStatus): string {
  const { hostId, name, state, sourceDb, selection, schema, connections, silentMs } = host;
  const { rangesTaken, rangesRead, documents, documentsPerSecond } = host;
  const isThere = state === 'leads' || state === 'takes part';
  const parts = [
    `${formatPlural(rangesTaken, 'range')} taken, ${formatCount(rangesRead)} read`,
    formatPlural(documents, 'document'),
    ...(isThere ? [`${formatCount(documentsPerSecond)} docs/s`] : []),
    ...(isThere && connections !== null ? [`${formatPlural(connections, 'connection')} at most`] : []),
    `last sign of life ${formatDuration(silentMs)} ago`,
  ];
  return [
    `host ${hostId}: ${name}: ${state}: ${sourceDb} (${selection}) → schema ${schema}`,
    `  ${parts.join(' · ')}`,
  ].join('\n');
}
