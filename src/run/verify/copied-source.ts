/** The collection that a run has copied, opened to be compared. */

import { parseFilter } from '../../bson/filter.ts';
import { options as optionTable } from '../../config/options.ts';
import type { Session } from '../../postgres/connection/session.ts';
import type { Run } from '../../postgres/ledger/runs.ts';
import { isOfStream } from '../../postgres/ledger/streams/stream-collections.ts';
import type { Database } from '../../source/database.ts';
import type { Source } from '../../source/source.ts';

/** With the filter of the run. @throws SourceError if nothing is left of it */
export async function openCopied(
  database: Database,
  collection: string,
  run: Run,
  session: Session,
): Promise<Source> {
  // A followed collection may have become empty, and is compared as it is now.
  const isFollowed = await session.run((client) => isOfStream(client, run.runId));
  const time = isFollowed ? await database.changes?.readTime() : undefined;
  return await database.open(collection, filterOf(run), time);
}

/** The filter of the copy; undefined if all was copied. */
export function filterOf(run: Run): Uint8Array | undefined {
  const filter = run.settings.choices[optionTable.filter.env];
  return filter === undefined ? undefined : parseFilter(filter, 'the filter of the run');
}
