/** The key of ObjectIds in a database with a language's order, beside one that compares bytes. */

import type pg from 'pg';
import { formatCount } from '../../src/common/format.ts';
import { runContestant, type Contestant, type Run } from './contestant.ts';
import { seedDocuments } from './documents.ts';
import { prepareInput } from './input.ts';
import { clearTable, connectBench, readChecksum, type Place } from './place.ts';
import { describeTable, formatTable } from './report.ts';
import { median, medianOf, type Result } from './results.ts';
import { createTool } from './tool.ts';

const languageDatabase = 'bench_en_us';
const bytesDatabase = 'bench_c';

interface Entrant {
  readonly contestant: Contestant;
  readonly place: Place;
}

export interface LocalesSettings {
  readonly amount: number;
  readonly rounds: number;
}

/** @returns tables of what was measured */
export async function compareLocales(place: Place, { amount, rounds }: LocalesSettings): Promise<string> {
  await seedDocuments(place.mongoUrl, 'users', 0, amount);
  const input = await prepareInput(place);
  const bytes = await makeDatabase(place, bytesDatabase, "LOCALE_PROVIDER libc LOCALE 'C'");
  const { locale, options } = await findLanguage(place.client);
  const language = await makeDatabase(place, languageDatabase, options);
  try {
    const entrants: Entrant[] = [
      { place: bytes, contestant: nameIt('C', undefined) },
      { place: language, contestant: nameIt(locale, undefined) },
      { place: language, contestant: nameIt(locale, 'default') },
    ];
    const runs = new Map<string, Run[]>(entrants.map(({ contestant }) => [contestant.name, []]));
    // The first round warms up.
    for (let round = 0; round <= rounds; round++) {
      let wanted: string | null = null;
      for (const { contestant, place: where } of entrants) {
        await clearTable(where);
        const run = await runContestant(contestant, where, input);
        const checksum = await readChecksum(where);
        wanted ??= checksum;
        if (checksum !== wanted) {
          throw new Error(`${contestant.name}: the table has ${checksum}, not ${wanted}`);
        }
        console.log(`round ${round}: ${contestant.name}: key ${seconds(keyMs(run))} s, table equal`);
        if (round > 0) runs.get(contestant.name)?.push(run);
      }
    }
    const results = Array.from(runs, ([name, ofIt]) => ({ name, runs: ofIt }));
    return [
      `**${formatCount(amount)} users by locale of the database**, ${rounds} rounds in turns, after a warm-up`,
      describeTable({ results, amount, bsonBytes: input.bsonBytes }),
      'The key, the statistics and the count alone:',
      describeKeys(results),
    ].join('\n\n');
  } finally {
    await Promise.all([bytes.client.end(), language.client.end()]);
  }
}

function nameIt(locale: string, objectIdCollation: 'default' | undefined): Contestant {
  const tool = createTool({ pool: 'cluster', objectIdCollation });
  return { ...tool, name: `database in ${locale}: ${tool.name}` };
}

/** That of the C library if the system has it, else ICU's. */
async function findLanguage(client: pg.Client): Promise<{ locale: string; options: string }> {
  const { rows } = await client.query<{ name: string }>(
    "SELECT collcollate AS name FROM pg_collation WHERE collprovider = 'c' AND collname = 'en_US.utf8'",
  );
  const [found] = rows;
  return found === undefined
    ? { locale: "ICU's en-US", options: "LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C'" }
    : { locale: found.name, options: `LOCALE_PROVIDER libc LOCALE '${found.name}'` };
}

async function makeDatabase(place: Place, name: string, options: string): Promise<Place> {
  await place.client.query(`CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'UTF8' ${options}`);
  const url = new URL(place.postgresUrl);
  url.pathname = name;
  return { ...place, postgresUrl: url.href, toolPostgresUrl: url.href, client: await connectBench(url.href) };
}

function describeKeys(results: readonly Result[]): string {
  const [base] = results;
  const rows = results.map(({ name, runs }) => {
    const all = runs.map(keyMs);
    const ratios = all.map((ms, round) => ms / keyMs(base?.runs[round]));
    const range = `${seconds(Math.min(...all))}–${seconds(Math.max(...all))}`;
    const ratio = `${median(ratios).toFixed(2)} (${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)})`;
    const cpu = medianOf(runs, ({ postgresCpuMs }) => postgresCpuMs) ?? NaN;
    return [name, `${seconds(median(all))} s`, range, ratio, `${seconds(cpu)} s`];
  });
  return formatTable([['', 'median', 'min–max', 'ratio', 'CPU of PostgreSQL, all of the run'], ...rows]);
}

function keyMs(run: Run | undefined): number {
  return run?.stepsMs?.key ?? NaN;
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(2);
}
