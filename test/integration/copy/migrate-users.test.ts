import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Document } from 'mongodb';
import { everyPool, runCli } from '../../support/cli.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';

/** Fewer for a slow server. */
const amount = Number(process.env.TEST_USERS ?? 100_000);
const formatted = amount.toLocaleString('en');

interface UserRow {
  readonly _id: string;
  readonly id: number;
  readonly username: string;
  readonly email: string;
  readonly age: number;
  readonly createdAt: Date;
  readonly _extra: unknown;
}

describe(`${amount} users, seeded and migrated by the command line`, () => {
  let sandbox: Sandbox;
  let documents: Document[] = [];
  before(async () => {
    sandbox = await createSandbox();
  });
  after(async () => {
    await sandbox.remove();
  });

  it('seeds as many users as requested', async () => {
    const { code, stderr } = await runCli(['seed'], { ...sandbox.env, AMOUNT_USERS_SEED: String(amount) });
    assert.equal(code, 0, stderr);
    documents = await sandbox.db.collection('users').find().sort({ _id: 1 }).toArray();
    assert.equal(documents.length, amount);
  });

  for (const implementation of everyPool) {
    it(`exits with 0 and equal counts (${implementation})`, async () => {
      const { code, stdout, stderr } = await runCli(['--restart'], {
        ...sandbox.env,
        AMOUNT_USERS: String(amount),
        CLUSTER_IMPLEMENTATION: implementation,
      });
      assert.equal(code, 0, stderr);
      assert.match(stdout, new RegExp(`read ${formatted} = copied ${formatted} \\+ dead-lettered 0`));
      assert.match(stdout, new RegExp(`${formatted} rows in public\\.users, counted by Postgres`));
      assert.doesNotMatch(stderr, /warning/);
    });

    it(`has a row for every document, with equal values (${implementation})`, async () => {
      const { rows } = await sandbox.client.query<UserRow>('SELECT * FROM users ORDER BY _id');
      assert.equal(rows.length, amount);
      assert.equal(documents.length, amount);
      for (const [index, document] of documents.entries()) assert.deepEqual(rows[index], rowOf(document));
    });
  }

  it('has built the primary key, and planner statistics', async () => {
    const { rows } = await sandbox.client.query(
      `SELECT pg_get_constraintdef(oid) AS key, reltuples FROM pg_constraint
         JOIN (SELECT oid AS relid, reltuples::int FROM pg_class) c ON relid = conrelid
        WHERE conrelid = 'users'::regclass AND contype = 'p'`,
    );
    assert.deepEqual(rows, [{ key: 'PRIMARY KEY (_id)', reltuples: amount }]);
  });

  it('has a ledger whose batches add up to the collection, without gap or overlap', async () => {
    const { rows } = await sandbox.client.query<{ total: number; unlinked: number; finished: boolean }>(`
      WITH batches AS (SELECT * FROM mongo2pg.batches WHERE run_id = (SELECT max(run_id) FROM mongo2pg.runs))
      SELECT (SELECT sum(documents)::int FROM batches) AS total,
             (SELECT count(*)::int FROM batches b
               WHERE after_id IS NOT NULL AND NOT EXISTS
                     (SELECT FROM batches p WHERE p.run_id = b.run_id AND p.last_id = b.after_id)) AS unlinked,
             (SELECT bool_and(finished_at IS NOT NULL) FROM mongo2pg.runs) AS finished`);
    assert.deepEqual(rows, [{ total: amount, unlinked: 0, finished: true }]);
  });
});

function rowOf(document: Document): UserRow {
  return {
    _id: String(document._id),
    id: document.id as number,
    username: document.username as string,
    email: document.email as string,
    age: document.age as number,
    createdAt: document.createdAt as Date,
    _extra: null,
  };
}
