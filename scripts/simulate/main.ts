/**
 * `npm run simulate`: the ledger's own statements for a copy that is far too large to make, on a real PostgreSQL. Source and target
 * are simulated: each batch is a row of the ledger with its counts, without rows of a table.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { startEmbeddedPostgres } from '../../packages/trial-servers/src/servers.ts';
import { formatCount } from '../../src/common/format.ts';
import { connectPostgres } from '../../src/postgres/connection/connection.ts';
import { Session } from '../../src/postgres/connection/session.ts';
import { foldRanges } from '../../src/postgres/ledger/fold.ts';
import { finishCopy } from '../../src/postgres/ledger/phases.ts';
import { readGaps } from '../../src/postgres/ledger/ranges.ts';
import { readRunStatus } from '../../src/postgres/ledger/run-status.ts';
import { beginRun } from '../../src/postgres/table/run-opening.ts';
import type { Plan } from '../../src/transcode/plan.ts';
import { cutAt, SimulatedHost } from './host.ts';

const { values } = parseArgs({
  options: {
    documents: { type: 'string', default: '1000000000' },
    ranges: { type: 'string', default: '1000' },
    page: { type: 'string', default: '100000' },
    hosts: { type: 'string', default: '64' },
  },
});
const documents = Number(values.documents);
const ranges = Number(values.ranges);
const hosts = Number(values.hosts);
const perRange = Math.ceil(documents / ranges);

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
try {
  const options = {
    url: server.url,
    applicationName: 'mongo2pg primary',
    retryLimitMs: 0,
    answerTimeoutMs: 600_000,
  };
  const session = await Session.open(options);
  const intervals = Array.from({ length: ranges }, (_, index) => ({
    after: index === 0 ? null : cutAt(index * perRange),
    until: index === ranges - 1 ? null : cutAt((index + 1) * perRange),
  }));
  const settings = { source: plan.collection, collectionId: null, choices: {}, plan };
  const run = await timed(`${formatCount(ranges)} ranges opened`, () =>
    beginRun(session, settings, 'drop', null, intervals),
  );
  const count = async (): Promise<string> => {
    const { rows } = await session.run((client) =>
      client.query<{ rows: string; bytes: string }>(
        `SELECT count(*) AS rows, pg_total_relation_size('mongo2pg.batches') AS bytes FROM mongo2pg.batches`,
      ),
    );
    const [row] = rows;
    return `${formatCount(Number(row?.rows))} rows of batches, ${(Number(row?.bytes) / 1e6).toFixed(1)} MB`;
  };
  const queue = run.ranges.values();
  const crew: SimulatedHost[] = [];
  // One after the other: so many at the same time would time out on a busy machine.
  while (crew.length < hosts) {
    crew.push(new SimulatedHost(await connectPostgres(server.url, 'mongo2pg worker')));
  }
  const startedMs = performance.now();
  const work = { runId: run.runId, page: Number(values.page), perRange, documents };
  await Promise.all(crew.map((host) => host.work(queue, work)));
  const seconds = (performance.now() - startedMs) / 1000;
  const batches = crew.reduce((sum, host) => sum + host.batches, 0);
  say(
    `${formatCount(batches)} batches of ${formatCount(documents)} documents by ${hosts} hosts: ${seconds.toFixed(1)} s, ` +
      `${formatCount(Math.round(batches / seconds))} batches/s`,
  );
  await Promise.all(crew.map((host) => host.close()));
  say(await count());
  const gaps = await timed('gaps looked for', () =>
    session.run((client) => readGaps(client, run.runId, true)),
  );
  const account = await timed('account', () =>
    session.transaction((client) => finishCopy(client, run, documents)),
  );
  if (gaps.length > 0 || account.copied !== documents) throw new Error('the ledger does not have all of it');
  await timed('status', () => session.run((client) => readRunStatus(client, true)));
  const numbers = run.ranges.map(({ rangeNo }) => rangeNo);
  await timed('folded', async () => {
    for (let first = 0; first < numbers.length; first += 500) {
      await session.transaction(
        (client) => foldRanges(client, run, numbers.slice(first, first + 500)),
        'long',
      );
    }
  });
  await session.run((client) => client.query('VACUUM mongo2pg.batches'), 'long');
  say(await count());
  await timed('status', () => session.run((client) => readRunStatus(client, true)));
  await session.close();
} finally {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
}
