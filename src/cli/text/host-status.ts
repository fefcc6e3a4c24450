/** Status of the hosts that copy together, as text. */

import { formatCount, formatDuration, formatPlural } from '../../common/format.ts';
import type { HostStatus } from '../../observe/status.ts';

export function describeHost(host: HostStatus): string {
  const { hostId, name, state, sourceDb, selection, schema, connections, silentMs } = host;
  const { rangesTaken, rangesRead, documents, documentsPerSecond } = host;
  const isMember = state === 'leads' || state === 'takes part';
  const parts = [
    `${formatPlural(rangesTaken, 'range')} taken, ${formatCount(rangesRead)} read`,
    formatPlural(documents, 'document'),
    ...(isMember ? [`${formatCount(documentsPerSecond)} docs/s`] : []),
    ...(isMember && connections !== null ? [`${formatPlural(connections, 'connection')} at most`] : []),
    `last heartbeat ${formatDuration(silentMs)} ago`,
  ];
  return [
    `host ${hostId}: ${name}: ${state}: ${sourceDb} (${selection}) → schema ${schema}`,
    `  ${parts.join(' · ')}`,
  ].join('\n');
}
