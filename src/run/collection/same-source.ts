/** Checks that a run is resumed with the source with which it was begun. */

import { readLastPositions } from '../../postgres/ledger/last-positions.ts';
import type { Session } from '../../postgres/connection/session.ts';
import { requireAnyOf } from '../../source/mongo/recent-documents.ts';
import type { Source } from '../../source/source.ts';

const positions = 20;

/**
 * The identity was compared when the run was found in the ledger. If the server has none, one of the documents that the
 * run read last must still be there.
 * @throws SourceChangedError
 */
export async function requireSameSource(
  { name, identity, lookup }: Pick<Source, 'name' | 'identity' | 'lookup'>,
  session: Pick<Session, 'run'>,
  runId: string,
): Promise<void> {
  if (identity !== null || lookup === undefined) return;
  const last = await session.run((client) => readLastPositions(client, runId, positions));
  await requireAnyOf(last, name, async (id) => (await lookup.readByIds([id])).size > 0);
}
