/**
 * The queue of ranges that wait for a host: pg-boss, on our own connections and in our own transactions. A job is a ticket
 * for one range. It is taken and thrown away in the transaction in which a host takes the range, so that no job is ever
 * left locked by a host that is gone. What the ledger says goes before it: a ticket for a range that is closed is thrown away.
 */

import PgBoss from 'pg-boss';
import type pg from 'pg';
import type { Range } from '../../../source/page.ts';
import type { Session } from '../../connection/session.ts';

/** Beside the ledger's, which has tables of like names. */
const schema = 'mongo2pg_queue';

/** A ticket is not given up, however often its transaction was rolled back, and does not run out. */
const queueOptions = { retryLimit: 1_000_000, retryDelay: 0, retentionDays: 3_650 };

export interface RangeJob {
  readonly id: string;
  readonly rangeNo: number;
}

export class RangeJobs {
  readonly #boss: PgBoss;

  private constructor(boss: PgBoss) {
    this.#boss = boss;
  }

  /** Makes the tables of the queue, where they are missing or of an earlier version. */
  static async open(session: Session): Promise<RangeJobs> {
    await session.run(async (client) => {
      // It begins and commits by itself; where another host has just made them, its transaction fails, and that is fine.
      const boss = bossOf(client, async () => {
        await client.query('ROLLBACK');
      });
      await boss.start();
    });
    return new RangeJobs(new PgBoss({ ...quiet, db: nowhere }));
  }

  /** To be called in the transaction that opens the ranges. */
  async enqueue(client: pg.Client, runId: string, ranges: readonly Pick<Range, 'rangeNo'>[]): Promise<void> {
    if (ranges.length === 0) return;
    const name = queueOf(runId);
    await bossOf(client).createQueue(name, { name, ...queueOptions });
    const jobs = ranges.map(({ rangeNo }) => ({ name, data: { rangeNo } }));
    await this.#boss.insert(jobs, { db: databaseOf(client) });
  }

  /** To be called in a transaction: when that is rolled back, the job waits again. @returns null when none waits */
  async take(client: pg.Client, runId: string): Promise<RangeJob | null> {
    const db = databaseOf(client);
    // The clock of a transaction that began before the job came is no reason to leave it out.
    const options = { db, batchSize: 1, ignoreStartAfter: true };
    const [job] = await this.#boss.fetch<{ rangeNo: number }>(queueOf(runId), options);
    // The library keeps to itself what its query fails with.
    if (db.failure !== undefined) throw db.failure.error;
    return job === undefined ? null : { id: job.id, rangeNo: job.data.rangeNo };
  }

  async throwAway(client: pg.Client, runId: string, { id }: RangeJob): Promise<void> {
    await this.#boss.deleteJob(queueOf(runId), id, { db: databaseOf(client) });
  }

  /** The run needs its queue no more. To be called in a transaction. */
  async close(client: pg.Client, runId: string): Promise<void> {
    await bossOf(client).deleteQueue(queueOf(runId));
  }
}

function queueOf(runId: string): string {
  return `run-${runId}`;
}

/** Its own supervision is about jobs that run out, which ours do not. */
const quiet = { schema, supervise: false, schedule: false } as const;

const nowhere: PgBoss.Db = {
  executeSql: () => Promise.reject(new Error('every call of the queue names its connection')),
};

interface ClientDatabase extends PgBoss.Db {
  /** What the last query failed with. */
  failure: { readonly error: unknown } | undefined;
}

function databaseOf(client: pg.Client, onFailure?: () => Promise<void>): ClientDatabase {
  const db: ClientDatabase = {
    failure: undefined,
    executeSql: async (text: string, values?: unknown[]) => {
      try {
        return await client.query(text, values);
      } catch (error) {
        db.failure = { error };
        await onFailure?.();
        throw error;
      }
    },
  };
  return db;
}

/** For what takes its connection from the constructor only. */
function bossOf(client: pg.Client, onFailure?: () => Promise<void>): PgBoss {
  return new PgBoss({ ...quiet, db: databaseOf(client, onFailure) });
}
