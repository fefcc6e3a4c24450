/** A start with --follow that runs while a test writes, and waiting until all writes are merged. */

import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { Timestamp } from 'mongodb';
import type pg from 'pg';
import type { RunEvent } from '../../src/observe/events.ts';
import { plainPool, readEvents, runCli, startCli, type CliResult } from './cli.ts';
import { waitUntil } from './embedded.ts';
import type { Sandbox } from './servers.ts';

export interface Following {
  readonly process: ChildProcess;
  readonly result: Promise<CliResult>;
  /** Its events so far. */
  readonly events: readonly RunEvent[];
  /** Waits for an event; earlier ones count as well. */
  until<K extends RunEvent['kind']>(
    kind: K,
    isWanted?: (event: Extract<RunEvent, { kind: K }>) => boolean,
  ): Promise<Extract<RunEvent, { kind: K }>>;
  /** By SIGINT. @returns its result */
  stop(): Promise<CliResult>;
}

/** With inline workers, unless the environment says how they run. */
export function startFollowing(
  env: Readonly<Record<string, string>>,
  args: readonly string[] = [],
): Following {
  const settings = { CLUSTER_SIZE: '2', CLUSTER_IMPLEMENTATION: plainPool };
  const running = startCli(['--follow', '--json', ...args], { ...settings, ...env });
  const events: RunEvent[] = [];
  const waiting: (() => void)[] = [];
  let isOver = false;
  const read = async (): Promise<void> => {
    for await (const event of readEvents(running.process)) {
      events.push(event);
      for (const wake of waiting.splice(0)) wake();
    }
    isOver = true;
    for (const wake of waiting.splice(0)) wake();
  };
  const reading = read();
  return {
    process: running.process,
    result: reading.then(() => running.result),
    events,
    until: async (kind, isWanted = () => true) => {
      for (let index = 0; ; index++) {
        while (index >= events.length) {
          if (isOver) {
            const { code, stderr } = await running.result;
            assert.fail(`it ended (${code ?? 'by a signal'}) before it reported ${kind}: ${stderr}`);
          }
          await new Promise<void>((resolve) => waiting.push(resolve));
        }
        const event = events[index] as Extract<RunEvent, { kind: typeof kind }>;
        if (event.kind === kind && isWanted(event)) return event;
      }
    },
    stop: async () => {
      running.process.kill('SIGINT');
      await reading;
      return await running.result;
    },
  };
}

/** Waits until all writes so far are read, and no changes are pending. */
export async function untilMerged(
  sandbox: Pick<Sandbox, 'db' | 'client'>,
  following?: Following,
): Promise<void> {
  const { operationTime } = await sandbox.db.command({ ping: 1 });
  assert.ok(operationTime instanceof Timestamp, 'the server has no cluster time');
  const time = operationTime.toBigInt();
  await waitUntil('all changes are merged', async () => {
    if (following?.process.exitCode !== null && following !== undefined) {
      const { code, stderr } = await following.result;
      assert.fail(`it ended (${code ?? 'by a signal'}): ${stderr}`);
    }
    const { rows } = await sandbox.client.query<{ isMerged: boolean }>(
      `SELECT token_time >= $1 AND NOT EXISTS (SELECT FROM mongo2pg.changes c WHERE c.stream_id = s.stream_id)
                AS "isMerged"
           FROM mongo2pg.streams s WHERE ended_at IS NULL`,
      [String(time)],
    );
    return rows[0]?.isMerged === true;
  });
}

/** Compares every document with its row, with the tool itself. */
export async function requireEqual(env: Readonly<Record<string, string>>): Promise<void> {
  const { code, stdout, stderr } = await runCli(['verify'], { CLUSTER_SIZE: '1', ...env });
  assert.equal(code, 0, stdout + stderr);
}

/** Closes everything, also if `work` throws. */
export async function inTransaction<T>(
  client: pg.Client,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  await client.query('BEGIN');
  try {
    const result = await work(client);
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  }
}
