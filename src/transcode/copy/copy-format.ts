/** Header and trailer of a binary COPY stream. */

/**
 * The signature, no flags, no extension: https://www.postgresql.org/docs/current/sql-copy.html (Binary
 * Format).
 */
export const copyHeader = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1');
/** In place of the number of fields of a row. */
export const copyTrailer = -1;
