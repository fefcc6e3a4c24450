/** The session of a test on its own database, as a primary has one. */

import { Session } from '../../src/postgres/connection/session.ts';
import type { Sandbox } from './servers.ts';

/** Does not retry: the work of a test must succeed at the first attempt. */
export async function openSession({ postgresUrl }: Pick<Sandbox, 'postgresUrl'>): Promise<Session> {
  return await Session.open({
    url: postgresUrl,
    applicationName: 'mongo2pg primary',
    retryLimitMs: 0,
    answerTimeoutMs: 60_000,
  });
}
