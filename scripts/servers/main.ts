/**
 * `npm run test:servers`: runs the tests that use servers on other servers than the embedded ones, as far
 * as they are available here. It reports what is skipped; with CI set in the environment, nothing else may be.
 */

import { rmSync } from 'node:fs';
import pg from 'pg';
import { startEmbeddedMongo, startEmbeddedPostgres } from '../../packages/trial-servers/src/servers.ts';
import { identifyMongo } from '../../test/support/mongod.ts';
import { findLacking, type Feature } from '../../test/support/server-features.ts';
import { makeServerFolder } from '../../test/support/server-folder.ts';
import { stepDownVariable } from '../../test/support/step-down.ts';
import { listTestFiles, runTestFiles } from '../test-run.ts';
import { lineups, type Lineup } from './lineups.ts';

/** Ends by way of `exit`, on which child servers are killed. */
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

/** `npm run test:servers -- ferret` runs the line-ups whose name contains the word. */
const words = process.argv.slice(2).map((word) => word.toLowerCase());
const results: string[] = [];
/** For MongoDB itself, which a machine may not have: where it was tested is reported in any case. */
const metMongod: string[] = [];
const missedMongod = new Set<string>();
for (const lineup of lineups) {
  const isWanted = words.length === 0 || words.some((word) => lineup.name.toLowerCase().includes(word));
  if (!isWanted) continue;
  const missing = await lineup.missing();
  const result = missing === false ? await run(lineup) : `skipped: ${missing}`;
  results.push(`${lineup.name}: ${result}`);
  if (lineup.isMongod !== true) continue;
  if (missing === false) metMongod.push(lineup.name);
  else missedMongod.add(missing);
}
console.log(['', ...results, describeMongod()].join('\n'));

function describeMongod(): string {
  if (metMongod.length > 0) return `A real MongoDB was met: ${metMongod.join('; ')}`;
  const reason = missedMongod.size === 0 ? 'none of its line-ups was chosen' : [...missedMongod].join(', ');
  return `NO real MongoDB was met: ${reason}`;
}

async function run(lineup: Lineup): Promise<string> {
  console.log(`\n-- ${lineup.name}`);
  const startedMs = performance.now();
  const dataDir = await makeServerFolder();
  const startOther = lineup.side === 'source' ? startEmbeddedPostgres : startEmbeddedMongo;
  const [server, other] = await startBoth(lineup, () => startOther({ dataDir, role: 'run' }));
  try {
    const [mongoUrl, postgresUrl] =
      lineup.side === 'source' ? [server.url, other.url] : [other.url, server.url];
    const before = await describeServers(mongoUrl, postgresUrl);
    console.log(`on ${before.text}`);
    const lacks = await findLacking(mongoUrl, postgresUrl);
    const surprises = lacks.filter((feature) => lineup.lacks[feature] === undefined);
    for (const feature of surprises) {
      console.error(`error: it lacks ${feature}, which scripts/servers/lineups.ts does not expect`);
    }
    for (const feature of Object.keys(lineup.lacks) as Feature[]) {
      if (!lacks.includes(feature)) {
        console.log(`it has ${feature}, which scripts/servers/lineups.ts does not expect`);
      }
    }
    const env = { ...lineup.env, ...(lineup.stepsDown === true ? { [stepDownVariable]: mongoUrl } : {}) };
    const flags = lineup.stepsDown === true ? ['--test-concurrency=1'] : [];
    Object.assign(process.env, env);
    const nowhere = lineup.files.filter((word) => listTestFiles([word]).length === 0);
    if (nowhere.length > 0) throw new Error(`no test file has ${nowhere.join(' or ')} in its path`);
    const code = await runTestFiles(listTestFiles(lineup.files), { mongoUrl, postgresUrl }, flags, lacks);
    for (const name of Object.keys(env)) Reflect.deleteProperty(process.env, name);
    const { term } = await identifyMongo(mongoUrl);
    const elections = term > before.term ? `; its primary changed ${term - before.term} times` : '';
    const seconds = Math.round((performance.now() - startedMs) / 1000);
    const isFailed = code !== 0 || (surprises.length > 0 && process.env.CI !== undefined);
    if (isFailed) process.exitCode = 1;
    return `${isFailed ? 'failed' : 'passed'} in ${seconds} s on ${before.text}${elections}; ${describeLacks(lineup)}`;
  } finally {
    await Promise.all([server.stop(), other.stop()]);
    rmSync(dataDir, { recursive: true, force: true });
  }
}

async function startBoth(lineup: Lineup, startOther: () => ReturnType<typeof startEmbeddedMongo>) {
  const server = await lineup.start();
  try {
    return [server, await startOther()] as const;
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** The versions that the servers report. */
async function describeServers(
  mongoUrl: string,
  postgresUrl: string,
): Promise<{ readonly text: string; readonly term: number }> {
  const { version, members, term } = await identifyMongo(mongoUrl);
  const client = new pg.Client({ connectionString: postgresUrl });
  await client.connect();
  const { rows } = await client.query<{ server_version: string }>('SHOW server_version');
  await client.end();
  const set = members === 0 ? '' : ` (a replica set of ${members})`;
  return {
    text: `a source that says it is ${version}${set} and a PostgreSQL ${rows[0]?.server_version ?? ''}`,
    term,
  };
}

function describeLacks({ lacks }: Lineup): string {
  const reasons = Object.entries(lacks).map(([feature, reason]) => `${feature} (${reason})`);
  return reasons.length === 0 ? 'it lacks nothing' : `skipped for want of ${reasons.join(', ')}`;
}
