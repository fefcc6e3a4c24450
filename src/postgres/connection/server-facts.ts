/** Facts about the PostgreSQL server for reports. They do not affect the load. */

import type pg from 'pg';
import { measureRoundTrip } from '../../common/round-trip.ts';
import { readCitus, type Citus } from './citus.ts';
import { readConnectionsLeft } from './capacity.ts';
import { readMajorVersion, readVersion } from './server-check.ts';

export interface TargetFacts {
  /** Such as `18.4`. */
  readonly version: string;
  /** Round trip from this machine. */
  readonly roundTripMs: number;
  readonly database: string;
  readonly user: string;
  /** How the database sorts text, such as `en_US.UTF-8`. */
  readonly collation: string;
  /** The versions of the collation's rules with which the database was made and which the server has now; null if it does not say. */
  readonly collationVersions: { readonly made: string; readonly now: string } | null;
  readonly mayCreateSchema: boolean;
  /** For each schema that exists and gets tables: whether the user may create tables there. */
  readonly schemas: readonly { readonly name: string; readonly mayCreateTable: boolean }[];
  /** See `readConnectionsLeft`. */
  readonly connectionsLeft: number;
  readonly maxConnections: number;
  readonly maxWalBytes: number;
  readonly isFsyncOn: boolean;
  /** Standbys that each commit waits for. */
  readonly synchronousStandbys: string;
  /** Null if the user may not see it. */
  readonly dataDirectory: string | null;
  /** Null without the extension. */
  readonly citus: Citus | null;
  /** Whether the server is reached through a socket file or a loopback address. */
  readonly isLocal: boolean;
}

/** @param schemas in which tables are to be created */
export async function readTargetFacts(client: pg.Client, schemas: readonly string[]): Promise<TargetFacts> {
  const { roundTripMs } = await measureRoundTrip(() => client.query('SELECT'));
  type Asked = 'version' | 'roundTripMs' | 'connectionsLeft' | 'collationVersions' | 'citus';
  const { rows } = await client.query<
    Omit<TargetFacts, Asked | 'maxWalBytes'> & { readonly maxWalBytes: string }
  >(
    `SELECT current_database() AS database, current_user AS "user",
            -- Before PostgreSQL 17 ICU has a column of its own, and from then on one is for it and the built-in provider.
            coalesce(to_jsonb(d)->>'datlocale', to_jsonb(d)->>'daticulocale', datcollate) AS collation,
            has_database_privilege(current_database(), 'CREATE') AS "mayCreateSchema",
            (SELECT coalesce(json_agg(json_build_object(
                      'name', nspname, 'mayCreateTable',
                      -- Of several in one text, one would do.
                      has_schema_privilege(oid, 'CREATE') AND has_schema_privilege(oid, 'USAGE'))), '[]')
               FROM pg_namespace WHERE nspname = ANY ($1)) AS schemas,
            current_setting('max_connections')::int AS "maxConnections",
            pg_size_bytes(current_setting('max_wal_size')) AS "maxWalBytes",
            current_setting('fsync') = 'on' AS "isFsyncOn",
            current_setting('synchronous_standby_names') AS "synchronousStandbys",
            CASE WHEN pg_has_role('pg_read_all_settings', 'USAGE')
                 THEN current_setting('data_directory', true) END AS "dataDirectory",
            coalesce(inet_server_addr() <<= '127.0.0.0/8' OR inet_server_addr() = '::1', true) AS "isLocal"
       FROM pg_database AS d WHERE datname = current_database()`,
    [schemas],
  );
  const [facts] = rows;
  if (facts === undefined) throw new RangeError('the database is not in its own catalog');
  return {
    ...facts,
    maxWalBytes: Number(facts.maxWalBytes),
    version: await readVersion(client),
    roundTripMs,
    connectionsLeft: await readConnectionsLeft(client),
    collationVersions: await readCollationVersions(client),
    citus: await readCitus(client),
  };
}

async function readCollationVersions(client: pg.Client): Promise<TargetFacts['collationVersions']> {
  // Before, a database had none.
  if ((await readMajorVersion(client)) < 15) return null;
  const { rows } = await client.query<{ made: string | null; now: string | null }>(
    `SELECT datcollversion AS made, pg_database_collation_actual_version(oid) AS now
       FROM pg_database WHERE datname = current_database()`,
  );
  const { made = null, now = null } = rows[0] ?? {};
  return made === null || now === null ? null : { made, now };
}
