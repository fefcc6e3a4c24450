/** What every session of this tool overrules: settings of a database, a role or a URL that would make its statements others. */

import pg from 'pg';

/**
 * By SET and not by the startup packet, whose `options` a pooler such as PgBouncer refuses or leaves out. Every user may set
 * each of these.
 */
const overruled: readonly (readonly [name: string, value: string])[] = [
  // Limits that suit a web server would end a long COPY or index build in the middle, as pg_restore knows. (And statement_timeout, below.)
  ['lock_timeout', '0'],
  ['transaction_timeout', '0'],
  ['idle_in_transaction_session_timeout', '0'],
  ['idle_session_timeout', '0'],
  ['tcp_keepalives_idle', '30'],
  ['tcp_keepalives_interval', '10'],
  ['tcp_keepalives_count', '3'],
  // A transaction that waits for another's has to see what that has committed.
  ['default_transaction_isolation', 'read committed'],
  // An error is an answer: a batch that is claimed already, a row that is refused.
  ['exit_on_error', 'off'],
  // What a text means: values that Postgres casts, and results, which come as text. (client_encoding is
  // in the startup packet. Not lc_monetary: by it the database says how many decimal places its money has.)
  ['DateStyle', 'ISO, MDY'],
  ['IntervalStyle', 'postgres'],
  ['TimeZone', 'UTC'],
  ['timezone_abbreviations', 'Default'],
  ['extra_float_digits', '1'],
  ['bytea_output', 'hex'],
  ['array_nulls', 'on'],
  ['xmlbinary', 'base64'],
  ['xmloption', 'content'],
  // What a statement means.
  ['standard_conforming_strings', 'on'],
  ['backslash_quote', 'safe_encoding'],
  ['transform_null_equals', 'off'],
  ['quote_all_identifiers', 'off'],
];

/**
 * Leaves out what older servers do not know. Where the search path names the schema of Postgres's own functions, it is taken
 * out, as they come first then, whatever else is in the path; the rest stays, for the triggers and defaults of people's
 * tables. Until then no name means for certain what it seems to, so that each has its schema here.
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

/** Without a cast: a constant that is not said to be anything else is Postgres's own text. */
function describe([name, value]: readonly [string, string]): string {
  return `(${pg.escapeLiteral(name)}, ${pg.escapeLiteral(value)})`;
}

/** @throws the errors of pg as they are */
export async function overruleSettings(client: pg.Client): Promise<void> {
  // In one round trip, and each with a timeout of its own: the first is done before any.
  await client.query(`SET statement_timeout = 0; ${overruleStatement}`);
}
