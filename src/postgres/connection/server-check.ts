/** Requirements on the server, which are checked before anything else. */

import type pg from 'pg';
import { TargetError } from '../../common/errors.ts';
import { readCitus, recoverTransactions, requireCoordinator } from './citus.ts';
import { inOneTrip } from './one-trip.ts';

/** Since this version, numeric has infinities, and a session detects that its client is gone. */
const oldestVersion = 14;

/** @returns the server's version, such as 18 @throws TargetError that says what to do */
export async function requireServer(client: pg.Client): Promise<number> {
  const [version, facts, citus] = await inOneTrip(client, readMajorVersion, readFacts, readCitus);
  if (version < oldestVersion) {
    throw new TargetError(`this is PostgreSQL ${version}`, {
      code: 'POSTGRES_VERSION',
      fix: `PostgreSQL ${oldestVersion} or newer is needed.`,
    });
  }
  const { encoding, isStandby, isReadOnly } = facts;
  if (encoding !== 'UTF8') {
    throw new TargetError(
      `the database has the encoding ${encoding}, which cannot hold all that MongoDB can`,
      {
        code: 'POSTGRES_ENCODING',
        fix: "create one with: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0.",
      },
    );
  }
  if (isStandby) {
    throw new TargetError('this PostgreSQL is a standby, which can only be read', {
      code: 'POSTGRES_READ_ONLY',
      fix: 'give POSTGRES_URL the primary.',
    });
  }
  if (isReadOnly) {
    throw new TargetError('transactions are read-only here (default_transaction_read_only is on)', {
      code: 'POSTGRES_READ_ONLY',
      fix: 'use another user, or take the setting back: ALTER ROLE … (or ALTER DATABASE …) RESET default_transaction_read_only.',
    });
  }
  if (citus !== null) {
    requireCoordinator(citus);
    await recoverTransactions(client);
  }
  return version;
}

interface ServerFacts {
  readonly encoding: string;
  readonly isStandby: boolean;
  readonly isReadOnly: boolean;
}

async function readFacts(client: pg.Client): Promise<ServerFacts> {
  const { rows } = await client.query<ServerFacts>(
    `SELECT current_setting('server_encoding') AS encoding, pg_is_in_recovery() AS "isStandby",
            -- What the session began with, whatever it has been set to since.
            (SELECT reset_val FROM pg_settings WHERE name = 'default_transaction_read_only') = 'on' AS "isReadOnly"`,
  );
  return rows[0] ?? { encoding: '', isStandby: false, isReadOnly: false };
}

/** It stays the same as long as the connection. */
const majorVersions = new WeakMap<pg.Client, number>();

/** @returns the server's version, such as 18 */
export async function readMajorVersion(client: pg.Client): Promise<number> {
  const known = majorVersions.get(client);
  if (known !== undefined) return known;
  const { rows } = await client.query<{ version: number }>(
    "SELECT current_setting('server_version_num')::int / 10000 AS version",
  );
  const version = rows[0]?.version ?? 0;
  majorVersions.set(client, version);
  return version;
}

/** Such as `18.4`, without the suffix of a distribution. */
export async function readVersion(client: pg.Client): Promise<string> {
  const { rows } = await client.query<{ version: string }>(
    "SELECT split_part(current_setting('server_version'), ' ', 1) AS version",
  );
  return rows[0]?.version ?? '';
}
