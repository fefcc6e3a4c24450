/** Settings that a server can give to a session, with values that must not affect any command. */

import pg from 'pg';

export type SessionSetting = readonly [name: string, value: string];

export const dateStyles = ['German', 'SQL,DMY', 'Postgres,YMD'] as const;

/** None of these is the default. Those that say how text is read and written come first. */
const settings: readonly SessionSetting[] = [
  ...dateStyles.map((style) => ['DateStyle', style] as const),
  ['IntervalStyle', 'sql_standard'],
  ['IntervalStyle', 'iso_8601'],
  ['TimeZone', 'America/St_Johns'],
  ['timezone_abbreviations', 'Australia'],
  ['extra_float_digits', '-15'],
  ['bytea_output', 'escape'],
  ['array_nulls', 'off'],
  ['standard_conforming_strings', 'off'],
  ['escape_string_warning', 'off'],
  ['backslash_quote', 'off'],
  ['client_encoding', 'LATIN1'],
  ['lc_messages', 'POSIX'],
  ['lc_monetary', 'POSIX'],
  ['lc_numeric', 'POSIX'],
  ['lc_time', 'POSIX'],
  ['xmlbinary', 'hex'],
  ['xmloption', 'document'],
  ['transform_null_equals', 'on'],
  ['quote_all_identifiers', 'on'],
  ['search_path', 'shadow,pg_catalog,public'],
  ['default_text_search_config', 'pg_catalog.german'],
  // How statements are executed. (Shorter limits have tests of their own; a busy machine exceeds them before they are overridden.)
  ['default_transaction_isolation', 'serializable'],
  ['default_transaction_deferrable', 'on'],
  ['exit_on_error', 'on'],
  ['row_security', 'off'],
  ['client_min_messages', 'debug1'],
  ['check_function_bodies', 'off'],
  ['plpgsql.extra_errors', 'all'],
  ['plpgsql.extra_warnings', 'all'],
  ['plpgsql.variable_conflict', 'error'],
  ['statement_timeout', '1000'],
  ['lock_timeout', '1'],
  ['transaction_timeout', '1000'],
  ['idle_in_transaction_session_timeout', '1000'],
  ['idle_session_timeout', '1000'],
  ['synchronous_commit', 'off'],
  ['track_activities', 'off'],
  // Settings of the planner.
  ['constraint_exclusion', 'on'],
  ['cursor_tuple_fraction', '1'],
  ['debug_parallel_query', 'regress'],
  ['enable_hashjoin', 'off'],
  ['enable_indexscan', 'off'],
  ['gin_fuzzy_search_limit', '1'],
  ['plan_cache_mode', 'force_generic_plan'],
  ['work_mem', '64kB'],
];

/** Those that the server knows. */
export async function listHostileSettings(client: pg.Client): Promise<SessionSetting[]> {
  const { rows } = await client.query<{ name: string }>('SELECT name FROM pg_settings');
  const known = new Set(rows.map(({ name }) => name));
  return settings.filter(([name]) => known.has(name) || name.startsWith('plpgsql.'));
}

/** All of them at once, with this DateStyle. */
export async function listWith(client: pg.Client, dateStyle: string): Promise<SessionSetting[]> {
  const all = new Map(await listHostileSettings(client));
  return [...all.set('DateStyle', dateStyle)];
}

/** The part after ALTER DATABASE … or ALTER ROLE …. The search path is a list of names, all others one text. */
export function setClause([name, value]: SessionSetting): string {
  return `SET ${name} = ${name === 'search_path' ? value : pg.escapeLiteral(value)}`;
}

/** For `options` in a URL. */
export function optionOf([name, value]: SessionSetting): string {
  return `-c ${name}=${value}`;
}

/** A schema `shadow`, which `search_path` puts before pg_catalog. */
export const shadowSchema = `
  CREATE SCHEMA shadow;
  CREATE VIEW shadow.pg_class AS SELECT * FROM pg_catalog.pg_class WHERE false;
  CREATE VIEW shadow.pg_stat_activity AS SELECT * FROM pg_catalog.pg_stat_activity WHERE false;
  CREATE DOMAIN shadow.text AS pg_catalog.text CHECK (VALUE IS NULL);
  CREATE FUNCTION shadow.set_config(pg_catalog.text, pg_catalog.text, boolean) RETURNS pg_catalog.text
    LANGUAGE sql AS 'SELECT NULL::pg_catalog.text';
  CREATE FUNCTION shadow.now() RETURNS timestamptz LANGUAGE sql AS $$ SELECT '1999-01-01'::timestamptz $$;
  GRANT USAGE ON SCHEMA shadow TO PUBLIC;
  GRANT SELECT ON shadow.pg_class, shadow.pg_stat_activity TO PUBLIC`;
