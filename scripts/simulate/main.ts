/**
 * `npm run simulate`: the statements of the ledger and of the queue for a copy by many hosts that is far too large to make, on a real
 * PostgreSQL. Source and target are simulated: each batch is a row of the ledger with its counts, without rows of a table.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import type pg from 'pg';
import { startEmbeddedPostgres } from '../../packages/trial-servers/src/servers.ts';
import { formatCount } from '../../src/common/format.ts';
import { Session } from '../../src/postgres/connection/session.ts';
import { foldRun } from '../../src/postgres/ledger/fold.ts';
import type { HostWork } from '../../src/postgres/ledger/hosts/host-work.ts';
import { insertHost, takeLeadership } from '../../src/postgres/ledger/hosts/hosts.ts';
import { RangeJobs } from '../../src/postgres/ledger/hosts/range-jobs.ts';
import { endHost } from '../../src/postgres/ledger/hosts/release.ts';
import { prepareLedger } from '../../src/postgres/ledger/ledger.ts';
import { finishCopy } from '../../src/postgres/ledger/phases.ts';
import { readGaps } from '../../src/postgres/ledger/ranges.ts';
import { readRunStatus } from '../../src/postgres/ledger/run-status.ts';
import { beginRun } from '../../src/postgres/table/run-opening.ts';
import type { Plan } from '../../src/transcode/plan.ts';
import { cutAt, SimulatedHost } from './host.ts';

const { values } = parseArgs({
  options: {
    documents: { type: 'string', default: '1000000000' },
    ranges: { type: 'string', default: '10000' },
    page: { type: 'string', default: '10000' },
    hosts: { type: 'string', default: '64' },
    /** How many of the hosts die in their third range. */
    deaths: { type: 'string', default: '8' },
  },
});
const documents = Number(values.documents);
const rangeCount = Number(values.ranges);
const hostCount = Number(values.hosts);
const deaths = Number(values.deaths);
const perRange = Math.ceil(documents / rangeCount);

const key = { sourceDb: 'simulated', schema: 'public', selection: 'documents' };
const plan: Plan = {
  ...{ collection: 'simulated.documents', schema: 'public', table: 'documents', extraColumn: '_extra' },
  columns: [{ field: '_id', column: '_id', type: 'int64' }],
  ...{ jsonStyle: 'relaxed', nul: 'reject', objectIdCollation: 'C' },
};

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function timed<T>(what: string, work: () => Promise<T>): Promise<T> {
  const startedMs = performance.now();
  const result = await work();
  say(`${what}: ${((performance.now() - startedMs) / 1000).toFixed(2)} s`);
  return result;
}

const folder = await mkdtemp(join(tmpdir(), 'mongo2pg-simulate-'));
const server = await startEmbeddedPostgres({ dataDir: folder, role: 'run' });

function openSession(): Promise<Session> {
  return Session.open({
    url: server.url,
    applicationName: 'mongo2pg primary',
    retryLimitMs: 0,
    answerTimeoutMs: 600_000,
  });
}

async function joinAs(client: pg.Client, number: number): Promise<string> {
  const identity = { task: 'copy', name: `simulated/${number}`, version: '0', settings: {} } as const;
  return (await insertHost(client, key, identity)).hostId;
}

async function describeSizes(client: pg.Client): Promise<string> {
  const { rows } = await client.query<{ batches: string; ledger: string; jobs: string; queue: string }>(
    `SELECT (SELECT count(*) FROM mongo2pg.batches) AS batches, (SELECT count(*) FROM mongo2pg_queue.job) AS jobs,
            sum(pg_total_relation_size(oid)) FILTER (WHERE relnamespace = 'mongo2pg'::regnamespace) AS ledger,
            sum(pg_total_relation_size(oid)) FILTER (WHERE relnamespace = 'mongo2pg_queue'::regnamespace) AS queue
       FROM pg_class WHERE relkind = 'r'`,
  );
  const [row] = rows;
  const megabytes = (bytes: string | undefined): string => `${(Number(bytes) / 1e6).toFixed(1)} MB`;
  return (
    `ledger: ${formatCount(Number(row?.batches))} rows of batches, ${megabytes(row?.ledger)}; ` +
    `queue: ${formatCount(Number(row?.jobs))} jobs, ${megabytes(row?.queue)}`
  );
}

try {
  const session = await openSession();
  await prepareLedger(session);
  const jobs = await RangeJobs.open(session);
  const crew: { readonly hostId: string; readonly session: Session }[] = [];
  // One after the other: so many at the same time would time out on a busy machine.
  while (crew.length < hostCount) {
    const own = await openSession();
    crew.push({ session: own, hostId: await own.run((client) => joinAs(client, crew.length)) });
  }
  const workOf = (hostId: string): HostWork => ({ hostId, jobs, rangeBytes: 0 });
  const leader = workOf(crew[0]?.hostId ?? '');
  await session.transaction((client) => takeLeadership(client, key, leader.hostId));
  const intervals = Array.from({ length: rangeCount }, (_, index) => ({
    after: index === 0 ? null : cutAt(index * perRange),
    until: index === rangeCount - 1 ? null : cutAt((index + 1) * perRange),
  }));
  const settings = { source: plan.collection, collectionId: null, choices: {}, plan };
  const run = await timed(`${formatCount(rangeCount)} ranges opened and enqueued`, () =>
    beginRun(session, settings, 'drop', null, intervals, null, leader),
  );

  const work = { runId: run.runId, page: Number(values.page), documents };
  const hosts = crew.map(({ hostId, session: own }, index) => {
    const isMortal = index > 0 && index <= deaths;
    return new SimulatedHost(own, workOf(hostId), work, isMortal ? 3 : Infinity);
  });
  const startedMs = performance.now();
  let released = 0;
  await Promise.all(
    hosts.map(async (host, index) => {
      if (await host.work()) return;
      const hostId = crew[index]?.hostId ?? '';
      await session.transaction(async (client) => {
        released += (await endHost(client, jobs, hostId, 'dead')).ranges;
      }, 'long');
    }),
  );
  const seconds = (performance.now() - startedMs) / 1000;
  const sum = (of: (host: SimulatedHost) => number): number =>
    hosts.reduce((total, host) => total + of(host), 0);
  const [batches, takes] = [sum((host) => host.batches), sum((host) => host.takes)];
  const rate = (count: number): string => `${formatCount(Math.round(count / seconds))}/s`;
  say(
    `${formatCount(documents)} documents by ${hostCount} hosts, of which ${deaths} died: ${seconds.toFixed(1)} s; ` +
      `${formatCount(batches)} batches, ${rate(batches)}; ${formatCount(takes)} ranges taken, ${rate(takes)}, ` +
      `each in ${(sum((host) => host.takingMs) / takes).toFixed(1)} ms; ${released} ranges released`,
  );
  await Promise.all(hosts.map((host) => host.close()));
  say(await session.run(describeSizes));

  const gaps = await timed('gaps looked for', () =>
    session.run((client) => readGaps(client, run.runId, true)),
  );
  const account = await timed('account', () =>
    session.transaction((client) => finishCopy(client, run, documents)),
  );
  if (gaps.length > 0 || account.copied !== documents) throw new Error('the ledger does not have all of it');
  await timed('status', () => session.run((client) => readRunStatus(client, true)));
  await timed('folded', () => foldRun(session, run));
  await session.run((client) => client.query('VACUUM mongo2pg.batches'), 'long');
  say(await session.run(describeSizes));
  await timed('status', () => session.run((client) => readRunStatus(client, true)));
  await session.close();
} finally {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
}
