/**
 * `npm run bench`: this tool, end to end, against the ceiling of the same machine and against other ways.
 *
 * All fill the same table of the same Postgres from the same documents and build the same primary key. They take turns, so
 * that a noisy machine is noisy for all, and after each run the table is compared with the first one by a checksum over all
 * rows. Prints all measurements, good or bad.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import {
  allCases,
  growthCases,
  hostCases,
  longCases,
  partitionCases,
  peerCases,
  quickCases,
  type Case,
} from './cases.ts';
import { compareFollowing } from './follow.ts';
import { compareFollowingHosts } from './follow-hosts.ts';
import { createCeiling } from './ceiling.ts';
import { runContestant, type Contestant, type Run } from './contestant.ts';
import { kinds, seedDocuments } from './documents.ts';
import { prepareInput } from './input.ts';
import { compareLocales } from './locales.ts';
import { compareMany } from './many.ts';
import { compareMerges } from './merge.ts';
import { findPeers } from './peers.ts';
import { clearTable, readChecksum, withPlace, type Place } from './place.ts';
import { drawResults } from './plot.ts';
import { describeCase, describeMachine, describeResults } from './report.ts';
import type { CaseResult, Result, Results } from './results.ts';
import { createTool, runVerify } from './tool.ts';
import { Venv } from './venv.ts';

const { values } = parseArgs({
  options: {
    /** Under two minutes. */
    quick: { type: 'boolean', default: false },
    /** 10,000,000 documents, and growth. */
    long: { type: 'boolean', default: false },
    /** Other tools, if available. */
    peers: { type: 'boolean', default: false },
    /** One, two and three hosts, that copy, or that follow. */
    hosts: { type: 'boolean', default: false },
    /** A table in partitions. */
    partitions: { type: 'boolean', default: false },
    /** Names of cases, separated by commas. */
    only: { type: 'string' },
    rounds: { type: 'string' },
    /** A custom case. */
    documents: { type: 'string' },
    amount: { type: 'string', default: '1000000' },
    /** Counts, or `auto`. */
    workers: { type: 'string', default: '2' },
    pools: { type: 'string', default: 'cluster' },
    ranges: { type: 'string', default: '' },
    /** How changed rows are merged into a table. */
    merge: { type: 'boolean', default: false },
    /** The key in databases of several locales. */
    locales: { type: 'boolean', default: false },
    /** Many small collections by one command. */
    many: { type: 'boolean', default: false },
    /** How fast changes are followed. */
    follow: { type: 'boolean', default: false },
    changes: { type: 'string', default: '200000' },
    rate: { type: 'string', default: '5000' },
    seconds: { type: 'string', default: '60' },
    /** With `--many`: the built command of another checkout, such as `../before/dist/src/cli/main.js`, to take turns with. */
    against: { type: 'string' },
    'items-per-page': { type: 'string', default: '' },
    /** Milliseconds added to each round trip of this tool to the source, and to PostgreSQL. */
    'source-latency': { type: 'string', default: '0' },
    'target-latency': { type: 'string', default: '0' },
    /** A file for the results. */
    json: { type: 'string' },
    /** Files of results, separated by commas: nothing is measured, and these are merged. */
    from: { type: 'string' },
    /** Puts the results into the docs as well. */
    write: { type: 'boolean', default: false },
  },
});

const latencies = {
  sourceMs: Number(values['source-latency']),
  targetMs: Number(values['target-latency']),
};

if (values.from !== undefined) {
  keep(readResults(values.from.split(',')));
} else if (values.follow) {
  await withPlace(latencies, async (place) => {
    console.log(`${(await describeMachine(place.client)).join('\n')}\n`);
    const compare = values.hosts ? compareFollowingHosts : compareFollowing;
    const report = await compare(place, {
      amount: Number(values.amount),
      changes: Number(values.changes),
      workers: Number(values.workers),
      rounds: Number(values.rounds ?? 3),
      rate: Number(values.rate),
      seconds: Number(values.seconds),
    });
    console.log(`\n${report}`);
  });
} else if (values.merge) {
  await withPlace(latencies, async (place) => {
    console.log(`${(await describeMachine(place.client)).join('\n')}\n`);
    const report = await compareMerges(place, {
      amount: Number(values.amount),
      changes: Number(values.changes),
      rounds: Number(values.rounds ?? 3),
    });
    console.log(`\n${report}`);
  });
} else if (values.locales) {
  await withPlace(latencies, async (place) => {
    const settings = { amount: Number(values.amount), rounds: Number(values.rounds ?? 3) };
    console.log(`${(await describeMachine(place.client)).join('\n')}\n`);
    console.log(`\n${await compareLocales(place, settings)}`);
  });
} else if (values.many) {
  await withPlace(latencies, async (place) => {
    const others = values.against === undefined ? [] : [values.against];
    const settings = { rounds: Number(values.rounds ?? 3), workers: Number(values.workers), others };
    console.log(`${(await describeMachine(place.client)).join('\n')}\n`);
    console.log(`\n${await compareMany(place, settings)}`);
  });
} else {
  await withPlace(latencies, async (place) => {
    const machine = await describeMachine(place.client);
    console.log(`${machine.join('\n')}\n`);
    const cases: CaseResult[] = [];
    let seeded = '';
    let have = 0;
    for (const wanted of await chooseCases(place)) {
      if (seeded !== wanted.kind || have > wanted.amount) have = 0;
      await seedDocuments(place.mongoUrl, wanted.kind, have, wanted.amount);
      [seeded, have] = [wanted.kind, wanted.amount];
      const result = await measure(place, wanted);
      console.log(`\n${describeCase(result)}\n`);
      cases.push(result);
    }
    keep({ machine, date: new Date().toISOString().slice(0, 10), cases });
  });
}

/** The cases of several runs, on the machine of the first. */
function readResults(files: readonly string[]): Results {
  const [first, ...others] = files.map((file) => JSON.parse(readFileSync(file, 'utf8')) as Results);
  if (first === undefined) throw new RangeError('--from names no file');
  const dated = others.flatMap(({ date, cases }) => cases.map((one): CaseResult => ({ date, ...one })));
  return { ...first, cases: [...first.cases, ...dated] };
}

async function chooseCases(place: Place): Promise<Case[]> {
  const rounds = values.rounds === undefined ? undefined : Number(values.rounds);
  const names = values.only?.split(',');
  const chosen = values.documents === undefined ? await standardCases(place) : [ownCase(values.documents)];
  return chosen
    .filter(({ name }) => names === undefined || names.includes(name))
    .map((wanted) => ({ ...wanted, rounds: rounds ?? wanted.rounds }));
}

async function standardCases({ folder }: Place): Promise<Case[]> {
  if (values.quick) return quickCases();
  if (values.hosts) return hostCases(Number(values.amount));
  if (values.partitions) return partitionCases(Number(values.amount));
  if (values.long) return [...longCases(), ...growthCases()];
  if (!values.peers) return allCases();
  const { contestants, missing } = await findPeers(folder, Venv.named() ?? (await Venv.make(folder)));
  for (const line of missing) console.log(line);
  return peerCases(contestants);
}

function ownCase(documents: string): Case {
  const kind = kinds.find((name) => name === documents);
  if (kind === undefined) throw new RangeError(`--documents is one of ${kinds.join(', ')}`);
  const pools = values.pools.split(',') as ('cluster' | 'threads' | 'inline')[];
  // Empty, and `auto`: the default.
  const read = (text: string): number | undefined => (/^[0-9]+$/.test(text) ? Number(text) : undefined);
  const sizes = values.workers.split(',').map(read);
  const itemsPerPage = read(values['items-per-page']);
  const ranges = values.ranges.split(',').map(read);
  const tools = pools.flatMap((pool) =>
    sizes.flatMap((workers) =>
      ranges.map((readRanges) => createTool({ pool, workers, itemsPerPage, readRanges })),
    ),
  );
  const contestants = [createCeiling(Math.max(...sizes.map((size) => size ?? 2))), ...tools];
  return { name: 'own', kind, amount: Number(values.amount), rounds: 3, contestants };
}

async function measure(place: Place, wantedCase: Case): Promise<CaseResult> {
  const { name, kind, amount, rounds, contestants, hasOwnTables = false } = wantedCase;
  const present = contestants.filter((contestant): contestant is Contestant => contestant !== null);
  if (present.length < contestants.length) console.log('psql is not installed: its case is left out');
  const input = await prepareInput(place);
  // Fills the table for those that prepare from it, and defines its expected content.
  await clearTable(place);
  await createCeiling(1).run(place, input);
  const wanted = new Map<string, string>();
  if (!hasOwnTables) wanted.set('', await readChecksum(place));
  for (const contestant of present) await contestant.prepare?.(place);

  const runs = new Map<string, Run[]>(present.map((contestant) => [contestant.name, []]));
  const verifyMs: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    for (const contestant of present) {
      await clearTable(place);
      const run = await runContestant(contestant, place, input);
      const actual = await readChecksum(place);
      const { name: who, table = '' } = contestant;
      const expected = wanted.get(table) ?? actual;
      wanted.set(table, expected);
      if (kind === 'users' && !actual.startsWith(`${amount} rows,`)) throw new Error(`${who}: ${actual}`);
      if (actual !== expected) throw new Error(`${who}: the table has ${actual} instead of ${expected}`);
      const which = round === 0 ? 'warm-up' : `round ${round}`;
      console.log(`${name}, ${which}: ${contestant.name}: ${(run.wallMs / 1000).toFixed(2)} s, table equal`);
      if (round > 0) runs.get(contestant.name)?.push(run);
    }
    // For the last contestant's table, if that is the tool's: the ledger has the run to compare.
    if (round > 0 && present.at(-1)?.name.startsWith('mongo2pg') === true) {
      verifyMs.push(await runVerify(place, 2, input.amount));
    }
  }
  const results: Result[] = present.map((contestant) => ({
    name: contestant.name,
    runs: runs.get(contestant.name) ?? [],
  }));
  return { name, kind, amount, bsonBytes: input.bsonBytes, results, verifyMs };
}

function keep(results: Results): void {
  const text = `${JSON.stringify(results, null, 1)}\n`;
  if (values.json !== undefined) writeFileSync(values.json, text);
  if (!values.write) return;
  const [start, end] = ['<!-- results -->', '<!-- /results -->'];
  const page = readFileSync('docs/benchmarks.md', 'utf8');
  const [from, to] = [page.indexOf(start), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`docs/benchmarks.md lacks the markers ${start} and ${end}`);
  const report = `${page.slice(0, from + start.length)}\n\n${describeResults(results)}\n\n${page.slice(to)}`;
  writeFileSync('docs/benchmarks.md', report);
  writeFileSync('docs/benchmarks.json', text);
  writeFileSync('docs/benchmarks.svg', drawResults(results));
}
