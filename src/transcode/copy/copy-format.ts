/** What stands around the rows of a binary COPY stream. */

/**
 * The signature, no flags, no extension: https://www.postgresql.org/docs/current/sql-copy.html (Binary
 * Format).
 */
export const copyHeader = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1');
/** Stands where a row has its number of fields. */
export const copyTrailer = -1;
