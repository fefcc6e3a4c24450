/** The checks of every soak: a start ends with an expected code, and the table is equal in the end. */

import type { Collection } from 'mongodb';
import pg from 'pg';
import type { CliResult } from '../../test/support/cli.ts';
import { assertEqualTable } from '../../test/support/compare.ts';

type Ended = Pick<CliResult, 'code' | 'stdout' | 'stderr'>;

/** Success, a lost server, stopped, or killed. */
const honestCodes = new Set<number | null>([0, 3, 4, 130, 143, null]);
/** One of the servers could not be reached: the log shows which. */
const serverCodes = new Set<number | null>([3, 4]);

const shownCharacters = 3_000;

/** For the log. */
export function describeEnd({ code, stderr }: Ended): string {
  const reason = serverCodes.has(code) ? `: ${lastLineOf(stderr)}` : '';
  return `ended with ${String(code)}${reason}`;
}

/** @throws when a start has ended with an unexpected code */
export function requireHonestEnd({ code, stdout, stderr }: Ended): void {
  if (honestCodes.has(code)) return;
  throw new Error(`exit code ${String(code)}: ${stderr.trim()}\n${stdout.slice(-shownCharacters)}`);
}

export function lastLineOf(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}

/** Compares the whole collection with the table of its name. @throws when they differ */
export async function requireEqualTable(collection: Collection, postgresUrl: string): Promise<void> {
  const target = new pg.Client({ connectionString: postgresUrl });
  await target.connect();
  try {
    await assertEqualTable(collection, target, collection.collectionName);
  } finally {
    await target.end();
  }
}

/** Of a run that did not end well: the ledger is gone afterwards. */
export async function describeLetters(postgresUrl: string, namespace: string): Promise<string[]> {
  const client = new pg.Client({ connectionString: postgresUrl });
  try {
    await client.connect();
    const { rows } = await client.query<{ id: string; reason: string; detail: string }>(
      'SELECT document_id AS id, reason, detail FROM mongo2pg.dead_letters WHERE collection = $1 ORDER BY 1 LIMIT 5',
      [namespace],
    );
    return rows.map(({ id, reason, detail }) => `dead letter ${id}: ${reason}, ${detail}`);
  } catch (error) {
    return [`dead letters: ${error instanceof Error ? error.message : String(error)}`];
  } finally {
    await client.end();
  }
}
