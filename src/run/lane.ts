/** A lane copies one collection at a time: a connection to PostgreSQL, with the locks that it holds. */

import type pg from 'pg';
import { UsageError } from '../common/errors.ts';
import type { TargetConfig } from '../config/config.ts';
import { primarySession, type Audience } from './connections.ts';
import { withSession, type Session } from '../postgres/connection/session.ts';

/** Takes a lock on a connection. */
type Lock = (client: pg.Client) => Promise<void>;

export interface Lane {
  readonly session: Session;
  /** Takes a lock, and takes it again after each reconnect, since a lock ends with its connection. If another has it then, each later call fails. */
  lock(take: Lock): Promise<void>;
}

/**
 * Opens a lane for `work`, and closes it afterwards, also after an error.
 * @param firstConnection see `Session.open`
 * @throws TargetError with a fix, else what `work` throws
 */
export async function withLane<T>(
  config: TargetConfig,
  audience: Audience,
  work: (lane: Lane) => Promise<T>,
  firstConnection: 'once' | 'retry' = 'once',
): Promise<T> {
  const locks: Lock[] = [];
  let refusal: UsageError | undefined;
  const options = {
    ...primarySession(config, audience),
    onConnect: async (client: pg.Client) => {
      // Whoever has the lock now keeps it. To wait for it again with each call would only delay the end.
      if (refusal !== undefined) throw refusal;
      try {
        for (const take of locks) await take(client);
      } catch (error) {
        if (error instanceof UsageError) refusal = error;
        throw error;
      }
    },
  };
  const useSession = async (session: Session): Promise<T> =>
    await work({
      session,
      lock: async (take) => {
        await session.run(take, 'long');
        locks.push(take);
      },
    });
  return await withSession(options, useSession, firstConnection);
}
