/**
 * The queues of ranges that wait for a host, one for each run and each verification: pg-boss, on our own connections and in our own
 * transactions. Each job stands for one range. It is fetched and deleted in the transaction in which a host takes the range, so that
 * a host that dies never leaves a locked job. The ledger takes precedence: a job for a closed range is deleted.
 */

import PgBoss from 'pg-boss';
import type pg from 'pg';
import type { Range } from '../../../source/page.ts';
import type { Session } from '../../connection/session.ts';

/** Not the ledger's schema, which has tables of the same names. */
const schema = 'mongo2pg_queue';

/** A job never fails, however often its transaction is rolled back, and never expires. */
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

  /** Creates or upgrades the tables of the queue. */
  static async open(session: Session): Promise<RangeJobs> {
    await session.run(async (client) => {
      // pg-boss begins and commits by itself. Its transaction fails if another host creates the tables at the same time.
      const boss = bossOf(client, async () => {
        await client.query('ROLLBACK');
      });
      await boss.start();
    });
    return new RangeJobs(new PgBoss({ ...quiet, db: nowhere }));
  }

  /** To be called in the transaction that opens the ranges. */
  async enqueue(client: pg.Client, name: string, ranges: readonly Pick<Range, 'rangeNo'>[]): Promise<void> {
    if (ranges.length === 0) return;
    await bossOf(client).createQueue(name, { name, ...queueOptions });
    const jobs = ranges.map(({ rangeNo }) => ({ name, data: { rangeNo } }));
    await this.#boss.insert(jobs, { db: databaseOf(client) });
  }

  /** To be called in a transaction; a rollback puts the jobs back. @returns at most `count` of those that wait */
  async take(client: pg.Client, name: string, count: number): Promise<RangeJob[]> {
    const db = databaseOf(client);
    // now() is the start of the transaction: a job that was inserted later would seem to lie in the future.
    const options = { db, batchSize: count, ignoreStartAfter: true };
    const jobs = await this.#boss.fetch<{ rangeNo: number }>(name, options);
    // pg-boss swallows errors of its query.
    if (db.failure !== undefined) throw db.failure.error;
    return jobs.map(({ id, data }) => ({ id, rangeNo: data.rangeNo }));
  }

  async delete(client: pg.Client, name: string, jobs: readonly RangeJob[]): Promise<void> {
    await this.#boss.deleteJob(
      name,
      jobs.map(({ id }) => id),
      { db: databaseOf(client) },
    );
  }

  /** Deletes a queue, with what waits in it. To be called in a transaction. The queue may be gone already. */
  async close(client: pg.Client, name: string): Promise<void> {
    const boss = bossOf(client);
    await boss.purgeQueue(name);
    await boss.deleteQueue(name);
  }
}

/** Supervision and scheduling are for jobs that expire, which ours do not. */
const quiet = { schema, supervise: false, schedule: false } as const;

const nowhere: PgBoss.Db = {
  executeSql: () => Promise.reject(new Error('every call of the queue names its connection')),
};

interface ClientDatabase extends PgBoss.Db {
  /** The error of the last query that failed. */
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

/** For methods that take no connection: they use the one of the constructor. */
function bossOf(client: pg.Client, onFailure?: () => Promise<void>): PgBoss {
  return new PgBoss({ ...quiet, db: databaseOf(client, onFailure) });
}
