/**
 * One run that follows, by one process or several hosts, with faults at random times while a writer changes documents; in the end it
 * is cut over and compared.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { MongoClient } from 'mongodb';
import { runProcess, type CliResult } from '../../test/support/cli.ts';
import type { Random } from '../../src/common/random.ts';
import { createEnvironment } from './environment.ts';
import type { Scene } from './faults.ts';
import { describeLetters, lastLineOf } from './outcome.ts';
import { passIdleTime } from './idle.ts';
import { makeSubject, subjects } from './subject.ts';
import { Writer } from './writer.ts';

/** Not ready, pending changes, or a server is unavailable: the cutover is repeated. */
const passingCodes = new Set<number | null>([3, 4, 5, 8]);

const longestPauseMs = 2_500;
/** The faults that follow an idle time. */
const idleShare = 0.3;
const shownCharacters = 120;
/** Long enough for slow restarts of servers, and a busy machine. */
const cutoverLimitMs = 150_000;

export interface FollowersOptions {
  readonly scene: Scene;
  readonly random: Random;
  readonly env: Readonly<Record<string, string>>;
  readonly log: string[];
  readonly onFault: (kind: string) => void;
}

/** What follows, and has a number of faults before it. */
export interface Followers {
  readonly hurtsLeft: number;
  /** Set after the cutover. */
  isOver: boolean;
  /** Fulfilled when all have ended with success. */
  run(): Promise<void>;
  /** Causes the next fault, unless it would have nothing to affect. */
  hurt(): Promise<void>;
  kill(): Promise<void>;
}

export interface FollowSoakOptions {
  readonly name: string;
  readonly pool: string;
  readonly onFault: (kind: string) => void;
  /** Also of the cutover. */
  readonly settings: Readonly<Record<string, string>>;
  readonly follow: (options: FollowersOptions) => Followers;
}

/** @throws when something is lost, duplicated or hangs */
export async function soakFollowing(
  scene: Scene,
  random: Random,
  log: string[],
  { name, pool, onFault, settings, follow }: FollowSoakOptions,
): Promise<void> {
  const { mongo, postgres } = scene;
  const client = await MongoClient.connect(mongo.url);
  const collection = client.db('soak').collection(name);
  const folder = await mkdtemp(join(tmpdir(), 'mongo2pg-soak-'));
  const subjectName = random.pick(subjects);
  const subject = await makeSubject(subjectName, collection, random, folder);
  const count = 500 + random.below(3_000);
  await subject.fill(count);
  const writer = new Writer(() => subject.change());
  const own = { name, pool, workers: 1 + random.below(3), itemsPerPage: 50 + random.below(500) };
  const env = { ...createEnvironment(scene, own), ...settings, ...subject.env };
  log.push(`${subjectName}, ${count} documents, ${env.CLUSTER_SIZE} workers of ${pool}`);
  const followers = follow({ scene, random, env, log, onFault });
  const writing = writer.run();
  try {
    const { followed, check } = supervise(followers);
    while (followers.hurtsLeft > 0) {
      await delay(200 + random.below(longestPauseMs));
      check();
      if (random.chance(idleShare)) {
        log.push('idle');
        await writer.restDuring(() => passIdleTime(client, scene, name, check));
      }
      await followers.hurt();
    }
    await delay(random.below(longestPauseMs));
    writer.stop();
    await writing;
    log.push(`${writer.written} writes`);
    await subject.heal();
    await cutOver(env, log);
    followers.isOver = true;
    await followed;
    await subject.requireEqual(postgres.url);
    await collection.drop();
  } catch (error) {
    log.push(...(await describeLetters(postgres.url, collection.namespace)));
    throw error;
  } finally {
    writer.stop();
    await writing;
    await followers.kill();
    await client.close();
    await rm(folder, { recursive: true });
  }
}

/** @returns `check`, which throws if they have failed, or ended before the cutover */
function supervise(followers: Followers): { readonly followed: Promise<void>; readonly check: () => void } {
  let failure: unknown;
  const followed = followers.run();
  followed.then(
    () => (failure = new Error('it has ended before the cutover')),
    (error: unknown) => (failure = error),
  );
  const check = (): void => {
    if (failure !== undefined) throw failure as Error;
  };
  return { followed, check };
}

async function cutOver(env: Record<string, string>, log: string[]): Promise<void> {
  const endMs = performance.now() + cutoverLimitMs;
  while (performance.now() < endMs) {
    const { code, stderr }: CliResult = await runProcess(['cutover', '--wait', '60'], env);
    if (code === 0) return;
    log.push(`cutover ended with ${String(code)}: ${lastLineOf(stderr).slice(0, shownCharacters)}`);
    // The start that was killed had opened no stream yet, and the next has not either.
    const isEarly = code === 2 && stderr.includes('is followed into the schema');
    if (!passingCodes.has(code) && !isEarly) {
      throw new Error(`cutover ended with ${String(code)}: ${stderr.trim()}`);
    }
    await delay(1_000);
  }
  throw new Error(`not cut over after ${cutoverLimitMs / 1000} s`);
}
