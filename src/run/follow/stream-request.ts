/** Identifies what is followed, from the settings, for all commands. */

import { describeSelection } from '../../config/collection-choice.ts';
import type { Config } from '../../config/config.ts';
import type { StreamRequest } from '../../postgres/ledger/streams/stream.ts';
import type { Database } from '../../source/database.ts';

export function requestOf(config: Config, database: Pick<Database, 'name'>): StreamRequest {
  return {
    sourceDb: database.name,
    schema: config.postgresSchema,
    selection: describeSelection(config),
  };
}
