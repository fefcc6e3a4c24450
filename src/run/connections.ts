/** How a command with workers connects to both sides, and which events report a lost connection. */

import { targetOptions, type Config, type TargetConfig } from '../config/config.ts';
import type { RunEvent } from '../observe/events.ts';
import { requireCitusNode } from '../postgres/connection/citus-node.ts';
import type { Session, SessionOptions } from '../postgres/connection/session.ts';
import type { Database } from '../source/database.ts';
import { openDatabase, type SourceConfig } from '../source/open-database.ts';

export interface Audience {
  readonly onEvent: (event: RunEvent) => void;
  /** Aborting it stops the retries to reach a server, with the signal's reason. */
  readonly signal: AbortSignal;
}

/** Session options of the primary; workers have sessions of their own. */
export function primarySession(config: TargetConfig, { onEvent, signal }: Audience): SessionOptions {
  return {
    ...targetOptions(config),
    applicationName: 'mongo2pg primary',
    isPipelined: true,
    onLost: (reason) => {
      onEvent({ kind: 'retried', server: 'postgres', times: 1, reason });
    },
    signal,
  };
}

/** @param session one of POSTGRES_URL @throws TargetError if CITUS_NODE_URL is set, and rows cannot be loaded through that node */
export async function requireNode(
  config: TargetConfig & Pick<Config, 'citusNodeUrl'>,
  session: Session,
  signal: AbortSignal,
): Promise<void> {
  const { citusNodeUrl } = config;
  if (citusNodeUrl === undefined) return;
  await requireCitusNode(session, {
    ...targetOptions(config),
    url: citusNodeUrl.reveal(),
    applicationName: 'mongo2pg node check',
    signal,
  });
}

/** @throws SourceError with a fix */
export function openSource(config: SourceConfig, { onEvent, signal }: Audience): Promise<Database> {
  return openDatabase(config, {
    onNotice: (message) => {
      onEvent({ kind: 'notice', message });
    },
    onRetry: (reason) => {
      onEvent({ kind: 'retried', server: 'mongodb', times: 1, reason });
    },
    signal,
  });
}
