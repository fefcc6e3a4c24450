/** Makes sure that a run goes on with the source that it was begun with. */

import { readLastPositions } from './postgres/last-positions.ts';
import type { Session } from './postgres/session.ts';
import { requireAnyOf } from './source/recent-documents.ts';
import type { Source } from './source/source.ts';

const positions = 20;

/**
 * The ledger has compared its identity; where a server tells none, what the run has read last tells it.
 * @throws SourceChangedError
 */
export async function requireSameSource(
  source: Pick<Source, 'name' | 'identity' | 'readByIds'>,
  session: Pick<Session, 'run'>,
  runId: string,
): Promise<void> {
  if (source.identity !== null) return;
  const last = await session.run((client) => readLastPositions(client, runId, positions));
  await requireAnyOf(last, source.name, async (id) => (await source.readByIds([id]))?.size !== 0);
}
