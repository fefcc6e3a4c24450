/** Describes the findings of a dry run. */

import type { DryRunEvent } from '../../observe/dry-run-event.ts';
import { formatCount, formatMegabytes, formatPlural } from '../../common/format.ts';

export function describeDryRun(event: DryRunEvent): string {
  switch (event.kind) {
    case 'dry-run-server':
      return `PostgreSQL ${event.version} at ${event.target}: UTF8, ${formatPlural(event.connectionsLeft, 'connection')} left for workers`;
    case 'dry-run-script':
      return `\n${event.decision}`;
    case 'dry-run-failure':
      return `\n${event.source}: ${event.message}${event.fix === '' ? '' : ` — ${event.fix}`}`;
    case 'dry-run-collection': {
      const { source, decision, statements, notices, documents, estimatedBytes } = event;
      return [
        `\n${source}: ${decision}`,
        ...(estimatedBytes === null
          ? []
          : [
              `  about ${formatCount(documents)} documents; about ${formatMegabytes(estimatedBytes)} in PostgreSQL (rows and primary key), by a sample`,
            ]),
        ...statements.map((statement) => `${statement};`),
        ...notices.map((notice) => `- ${notice}`),
      ].join('\n');
    }
  }
}
