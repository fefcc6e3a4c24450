/**
 * Settings that every session of this tool overrides, since the defaults of a database, a role or a URL could change what its
 * statements mean.
 */

import pg from 'pg';

/**
 * By SET and not by the startup packet, whose `options` a pooler such as PgBouncer rejects or ignores. Every user may set each of
 * these.
 */
const overruled: readonly (readonly [name: string, value: string])[] = [
  // Timeouts for web applications would abort a long COPY or index build; pg_restore disables them too. (And statement_timeout,
  // below.)
  ['lock_timeout', '0'],
  ['transaction_timeout', '0'],
  ['idle_in_transaction_session_timeout', '0'],
  ['idle_session_timeout', '0'],
  ['tcp_keepalives_idle', '30'],
  ['tcp_keepalives_interval', '10'],
  ['tcp_keepalives_count', '3'],
  // A transaction that waited for another must see what that one committed.
  ['default_transaction_isolation', 'read committed'],
  // Errors are part of normal work: a batch that is claimed already, a row that is rejected.
  ['exit_on_error', 'off'],
  // How text is converted: values that Postgres casts, and results, which arrive as text. (client_encoding is in the startup
  // packet. lc_monetary is kept: it defines the decimal places of money.)
  ['DateStyle', 'ISO, MDY'],
  ['IntervalStyle', 'postgres'],
  ['TimeZone', 'UTC'],
  ['timezone_abbreviations', 'Default'],
  ['extra_float_digits', '1'],
  ['bytea_output', 'hex'],
  ['array_nulls', 'on'],
  ['xmlbinary', 'base64'],
  ['xmloption', 'content'],
  // How statements are parsed.
  ['standard_conforming_strings', 'on'],
  ['backslash_quote', 'safe_encoding'],
  ['transform_null_equals', 'off'],
  ['quote_all_identifiers', 'off'],
];

/**
 * Skips settings that older servers do not have. pg_catalog is removed from the search path, since it then comes first implicitly;
 * the rest stays, for triggers and defaults of existing tables. Names in this statement are schema-qualified, since the search path
 * cannot be trusted before.
 */
const overruleStatement = `
  SELECT (SELECT pg_catalog.set_config('search_path', (
            SELECT pg_catalog.string_agg(pg_catalog.quote_ident(name), ', ' ORDER BY place)
              FROM pg_catalog.unnest(pg_catalog.current_schemas(false)) WITH ORDINALITY AS path (name, place)
             WHERE name OPERATOR(pg_catalog.<>) 'pg_catalog'), false)
           WHERE 'pg_catalog' OPERATOR(pg_catalog.=) ANY (pg_catalog.current_schemas(false))),
         (SELECT pg_catalog.count(pg_catalog.set_config(name, value, false))
            FROM (VALUES ${overruled.map(describe).join(', ')}) AS wanted (name, value)
           WHERE pg_catalog.current_setting(name, true) IS NOT NULL)`;

/** Without a cast: an untyped constant has the type text of pg_catalog. */
function describe([name, value]: readonly [string, string]): string {
  return `(${pg.escapeLiteral(name)}, ${pg.escapeLiteral(value)})`;
}

/** @throws the errors of pg as they are */
export async function overruleSettings(client: pg.Client): Promise<void> {
  // In one round trip. The statement timeout applies to each statement, and the first one turns it off.
  await client.query(`SET statement_timeout = 0; ${overruleStatement}`);
}
