/**
 * Many small runs, each with faults at random times and restarted until it is finished; after each, the whole table is
 * compared with the collection.
 *
 *   npm run soak -- --runs 200 --seed 42
 *   npm run soak -- --follow
 *   npm run soak -- --hosts
 *   npm run soak -- --hosts --follow
 *   npm run soak -- --follow --seed 42 --from 8 --runs 1
 *
 * With --follow a writer changes the documents meanwhile, and the run is cut over in the end. With --hosts two to four hosts
 * copy together, or follow with both; any of them gets faults, and others join.
 *
 * Where there is a real mongod (on the PATH, or named by TEST_MONGOD) it runs on a replica set of three, whose primary steps
 * down or is killed; `--members 1` makes that one server, and `--members 0` the embedded one. TEST_MONGO_URL names one
 * that is there.
 */

import { parseArgs } from 'node:util';
import { MongoClient } from 'mongodb';
import { clusterImplementations } from '../../src/config/options/workers.ts';
import { readEvents, startCli, type CliResult } from '../../test/support/cli.ts';
import { startPrivatePostgres } from '../../test/support/private-servers.ts';
import { startProxy } from '../../test/support/tcp-proxy.ts';
import { createEnvironment, settingsOfHosts } from './environment.ts';
import { isAboutWorkers, listFaults, signal, type Scene } from './faults.ts';
import { createRandom, type Random } from '../../src/common/random.ts';
import { soakFollowing, type FollowSoakOptions } from './follow.ts';
import { FollowingProcess } from './following-process.ts';
import { HostGroup } from './host-group.ts';
import { soakHosts } from './hosts.ts';
import { startSoakMongo } from './mongo.ts';
import { describeEnd, requireEqualTable, requireHonestEnd } from './outcome.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '20' },
    /** The first of the series: to repeat one alone. */
    from: { type: 'string', default: '0' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    seconds: { type: 'string', default: '3600' },
    follow: { type: 'boolean', default: false },
    hosts: { type: 'boolean', default: false },
    members: { type: 'string' },
    /** Each run has one of them, at random. */
    pools: { type: 'string', default: clusterImplementations.join(',') },
  },
});
const seed = Number(values.seed);
const endMs = performance.now() + Number(values.seconds) * 1000;

/** A run that is not finished after so many starts fails. */
const maxStarts = 12;
/** Two workers that are stopped, one after the other, cost a start half a minute; what takes longer hangs. */
const startLimitMs = 120_000;
/** Most starts have ended by then. */
const longestDelayMs = 1_500;

const counts = new Map<string, number>();
let finished = 0;
let failed = 0;

console.log(`seed ${seed}`);
const members = values.members === undefined ? undefined : Number(values.members);
const [postgres, mongo] = await Promise.all([startPrivatePostgres(), startSoakMongo(members)]);
const postgresProxy = await startProxy(postgres);
const scene: Scene = { postgres, mongo, postgresProxy };
const faults = listFaults(scene);
console.log(`on ${mongo.text}`);
try {
  const from = Number(values.from);
  for (let index = from; index < from + Number(values.runs) && performance.now() < endMs; index++) {
    const startedMs = performance.now();
    const log: string[] = [];
    try {
      const random = createRandom(seed * 10_000 + index);
      if (values.follow) await soakFollowing(scene, random, log, describeFollowing(index, random));
      else if (values.hosts) await soakHosts(scene, random, log, describeRun('hosts', index, random));
      else await soakOnce(index, random, log);
      finished++;
    } catch (error) {
      failed++;
      log.push(`FAILED: ${error instanceof Error ? error.message : String(error)}`);
    }
    console.log(`run ${index}: ${log.join(', ')} (${((performance.now() - startedMs) / 1000).toFixed(1)} s)`);
  }
} finally {
  await postgresProxy.close();
  await Promise.all([postgres.remove(), mongo.remove()]);
}
for (const [kind, count] of [...counts].sort()) console.log(`${count} × ${kind}`);
console.log(`${finished} runs ended with an equal table, ${failed} did not; seed ${seed}, on ${mongo.text}`);
process.exitCode = failed === 0 ? 0 : 1;

function describeFollowing(index: number, random: Random): FollowSoakOptions {
  const kind = values.hosts ? 'hosts_follow' : 'follow';
  return {
    ...describeRun(kind, index, random),
    settings: values.hosts ? settingsOfHosts : {},
    follow: (options) =>
      values.hosts
        ? new HostGroup({ ...options, env: { ...options.env, FOLLOW: 'true' } })
        : new FollowingProcess(options),
  };
}

function describeRun(kind: string, index: number, random: Random) {
  return {
    name: `${kind}_${seed}_${index}`,
    pool: random.pick(values.pools.split(',')),
    onFault: (fault: string) => {
      counts.set(fault, (counts.get(fault) ?? 0) + 1);
    },
  };
}

async function soakOnce(index: number, random: Random, log: string[]): Promise<void> {
  const name = `soak_${index}`;
  const client = await MongoClient.connect(mongo.url);
  const collection = client.db('soak').collection(name);
  const stopped: number[] = [];
  try {
    const count = 1_000 + random.below(3_000);
    await collection.insertMany(
      Array.from({ length: count }, (_, _id) => ({ _id: _id as never, text: `text ${_id}`, n: _id % 7 })),
    );
    const pool = random.pick(values.pools.split(','));
    // A worker that is not a process has no pid.
    const kinds = Object.keys(faults).filter((kind) => pool === 'cluster' || !isAboutWorkers(kind));
    const hurts = Array.from({ length: 1 + random.below(4) }, () => random.pick(kinds));
    const env = createEnvironment(scene, {
      ...{ name, pool },
      workers: 1 + random.below(4),
      itemsPerPage: 10 + random.below(60),
    });
    log.push(`${count} documents, ${env.CLUSTER_SIZE} workers of ${pool}`);
    await runToItsEnd(env, hurts, random, log, stopped);
    await requireEqualTable(collection, postgres.url);
    await collection.drop();
  } finally {
    for (const pid of stopped) signal(pid, 'SIGKILL');
    await client.close();
  }
}

/** Restarts the command, injects its faults, and returns when it has succeeded. */
async function runToItsEnd(
  env: Record<string, string>,
  hurts: string[],
  random: Random,
  log: string[],
  stopped: number[],
): Promise<void> {
  for (let start = 1; start <= maxStarts; start++) {
    const { isHung, ...result } = await runOnce(env, hurts, random, log, stopped);
    if (isHung) throw new Error(`it has not ended within ${startLimitMs / 1000} s`);
    if (result.code === 0) return;
    log.push(describeEnd(result));
    requireHonestEnd(result);
  }
  throw new Error(`not finished after ${maxStarts} starts`);
}

async function runOnce(
  env: Record<string, string>,
  hurts: string[],
  random: Random,
  log: string[],
  stopped: number[],
): Promise<CliResult & { readonly isHung: boolean }> {
  const run = startCli(['--json'], env);
  let isHung = false;
  // A worker that stays stopped keeps the output of an ended command open.
  const output = new AbortController();
  const closeOutput = (): void => {
    output.abort();
    run.process.stdout?.destroy();
    run.process.stderr?.destroy();
  };
  const limit = setTimeout(() => {
    isHung = run.process.kill('SIGKILL');
  }, startLimitMs);
  run.process.once('exit', () => {
    clearTimeout(limit);
    if (stopped.length > 0) setImmediate(closeOutput);
  });

  let workerPids: readonly number[] = [];
  let hurting = Promise.resolve();
  const hurt = async (): Promise<void> => {
    const isOver = run.process.exitCode !== null || run.process.signalCode !== null;
    // The workers are reported once there is a plan.
    const at = workerPids.length === 0 ? hurts.findIndex((kind) => !isAboutWorkers(kind)) : 0;
    const [kind] = isOver || at < 0 ? [] : hurts.splice(at, 1);
    if (kind === undefined) return;
    log.push(kind);
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
    const workerPid = workerPids.length === 0 ? 0 : random.pick(workerPids);
    if (kind === 'worker stopped') stopped.push(workerPid);
    await faults[kind]?.({ run, workerPids, workerPid });
  };
  const hurtNext = (): void => {
    hurting = hurting.then(hurt);
  };

  // The clock also hits a run that is planning or building its key, progress one that is loading.
  const timer = random.chance(0.5) ? setTimeout(hurtNext, random.below(longestDelayMs)) : undefined;
  let untilHurt = 1 + random.below(40);
  for await (const event of readEvents(run.process, output.signal)) {
    if (event.kind === 'started' && env.CLUSTER_IMPLEMENTATION === 'cluster') {
      workerPids = event.workerIds.map(Number);
    }
    if (event.kind !== 'progress' || --untilHurt > 0) continue;
    untilHurt = 1 + random.below(40);
    hurtNext();
    await hurting;
  }
  const result = await run.result;
  clearTimeout(timer);
  await hurting;
  return { ...result, isHung };
}
