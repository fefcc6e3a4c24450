/** Compares what a document shows of psql with what Postgres answers. */

import assert from 'node:assert/strict';
import type pg from 'pg';

/**
 * By header and cells, with any column width.
 * @param shown the lines below the prompt; none: no check
 */
export function assertPsqlOutput(
  results: readonly pg.QueryResult<string[]>[],
  shown: readonly string[],
): void {
  const lines = shown.filter((line) => line !== '' && !/^[-+]+$|^\(\d+ rows?\)$/.test(line));
  if (lines.length === 0) return;
  const actual = results.flatMap(({ fields, rows, command }) =>
    fields.length === 0
      ? [[command]]
      : [fields.map(({ name }) => name), ...rows.map((row) => row.map((cell: string | null) => cell ?? ''))],
  );
  const cells = lines.map((line) =>
    // `ALTER TABLE` is reported as ALTER.
    /^[A-Z ]+( \d+)*$/.test(line) ? [line.split(' ')[0] ?? ''] : line.split('|').map((cell) => cell.trim()),
  );
  assert.deepEqual(actual, cells);
}
