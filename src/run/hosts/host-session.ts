/** A host's session for its heartbeats and for its own rows in the ledger. */

import type { TargetConfig } from '../../config/config.ts';
import type { SessionOptions } from '../../postgres/connection/session.ts';
import { primarySession, type Audience } from '../connections.ts';
import type { HostLimits } from './host-limits.ts';

/** A host that hangs in a transaction would block all others from joining and leading. PostgreSQL ends such a session. */
export function hostSession(
  config: TargetConfig,
  audience: Audience,
  { deadAfterMs }: HostLimits,
): SessionOptions {
  return {
    ...primarySession(config, audience),
    applicationName: 'mongo2pg host',
    onConnect: async (client) => {
      await client.query(`SET idle_in_transaction_session_timeout = ${deadAfterMs}`);
    },
  };
}
