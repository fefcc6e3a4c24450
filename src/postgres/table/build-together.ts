/** Builds keys and indexes together with other hosts: each takes builds from the ledger until none is left. */

import type pg from 'pg';
import { reachFailpoint } from '../../common/failpoints/failpoints.ts';
import { runCancellable } from '../connection/cancel.ts';
import { qualifiedName } from '../connection/relations.ts';
import type { Session } from '../connection/session.ts';
import { isRefusal } from '../connection/transient-errors.ts';
import {
  finishBuild,
  hasFreeBuild,
  offerBuilds,
  readBuilds,
  takeBuild,
  withdrawBuilds,
} from '../ledger/hosts/host-builds.ts';
import type { HostWork } from '../ledger/hosts/host-work.ts';
import { untilNextPoll } from '../ledger/hosts/poll.ts';
import { buildAlone, buildKey, type Build, type Builder, type BuildResult } from './builds.ts';
import { createIndex, describeRefusal } from './create-index.ts';
import { runSideBySide, type SideBySideOptions } from './side-by-side.ts';

type Hosts = Pick<HostWork, 'hostId'>;

/** For the leader. @param session for the ledger */
export function buildTogether(session: Session, runId: string, hosts: Hosts): Builder {
  return async (builds, options, onBuilt) => {
    if (builds.length === 0) return;
    const items = builds.map((build) => ({ item: describeBuild(build), build }));
    await session.transaction((client) => offerBuilds(client, hosts, runId, items));
    try {
      const jobs = Math.max(1, Math.min(options.jobs, builds.length));
      const results = await untilAllBuilt(session, runId, hosts, { ...options, jobs });
      for (const [place, { item, build }] of items.entries()) {
        const result = results.get(item);
        if (result === undefined) throw new Error(`${item} was offered, and is not in the ledger`);
        if (result.kind === 'refused' && build.kind === 'key') {
          // Building it again meets the error, with all that PostgreSQL says about it.
          await buildAlone([build], options, (_place, own) => {
            onBuilt(place, own);
          });
        } else {
          onBuilt(place, result);
        }
      }
    } catch (error) {
      await session.run((client) => withdrawBuilds(client, hosts, runId)).catch(() => undefined);
      throw error;
    }
  };
}

async function untilAllBuilt(
  session: Session,
  runId: string,
  hosts: Hosts,
  options: SideBySideOptions,
): Promise<ReadonlyMap<string, BuildResult>> {
  for (;;) {
    options.signal.throwIfAborted();
    await takeBuilds(runId, hosts, options);
    const found = await session.run((client) => readBuilds<BuildResult>(client, runId));
    const done = found.flatMap(({ item, result }) => (result === null ? [] : [[item, result] as const]));
    if (done.length === found.length) return new Map(done);
    // Other hosts build the rest, and may not come to its end.
    while (!(await session.run((client) => hasFreeBuild(client, runId)))) {
      options.signal.throwIfAborted();
      const left = await session.run((client) => readBuilds<BuildResult>(client, runId));
      if (left.every(({ result }) => result !== null)) break;
      await untilNextPoll();
    }
  }
}

/** Builds what no other host has, several at a time, until there is none. @returns how many were built */
export async function takeBuilds(runId: string, hosts: Hosts, options: SideBySideOptions): Promise<number> {
  let built = 0;
  const takeOne = async (session: Session, signal: AbortSignal): Promise<boolean> => {
    const taken = { isThere: false };
    const work = async (client: pg.Client): Promise<void> => {
      taken.isThere = await buildOne(client, runId, hosts);
    };
    await runCancellable(session, options.url, signal, work, 'transaction');
    return taken.isThere;
  };
  await runSideBySide(options, async (session, signal) => {
    while (await takeOne(session, signal)) built++;
  });
  return built;
}

/** To be called in a transaction. @returns false if no build was free */
async function buildOne(client: pg.Client, runId: string, hosts: Hosts): Promise<boolean> {
  const taken = await takeBuild<Build>(client, hosts, runId);
  if (taken === null) return false;
  await reachFailpoint('host-before-build');
  const result = await build(client, taken.build);
  await finishBuild(client, hosts, runId, taken.item, result);
  await reachFailpoint('host-before-build-commit');
  return true;
}

async function build(client: pg.Client, wanted: Build): Promise<BuildResult> {
  const startedMs = performance.now();
  const progress = { isBegun: false };
  try {
    if (wanted.kind === 'key') return await attempt(client, () => buildKey(client, wanted));
    const name = await createIndex(client, wanted.index, progress, (statement) =>
      attempt(client, () => client.query(statement)),
    );
    if (!progress.isBegun) return { kind: 'present', name };
    return { kind: 'built', name, durationMs: performance.now() - startedMs, count: null };
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return { kind: 'refused', reason: describeRefusal(error) };
  }
}

/** An error leaves the transaction usable. */
async function attempt<T>(client: pg.Client, work: () => Promise<T>): Promise<T> {
  await client.query('SAVEPOINT attempt');
  try {
    return await work();
  } catch (error) {
    await client.query('ROLLBACK TO SAVEPOINT attempt');
    throw error;
  } finally {
    await client.query('RELEASE SAVEPOINT attempt');
  }
}

function describeBuild(wanted: Build): string {
  if (wanted.kind === 'key') return `the primary key of ${qualifiedName(wanted.table)}`;
  const { table, name } = wanted.index;
  return `the index ${name} of ${qualifiedName(table)}`;
}
