/** Rows are merged by `_id` only if PostgreSQL keeps it unique: for every row, immediately, and by itself. */

import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { TargetError } from '../../../src/common/errors.ts';
import { requireUniqueKey } from '../../../src/postgres/follow/key-check.ts';
import { createTableStatement } from '../../../src/postgres/table/ddl.ts';
import { makePlan } from '../../support/raw-bson.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';

describe('the table of a followed collection', () => {
  let sandbox: Sandbox;
  const plan = makePlan({ _id: 'int32', name: 'string' });
  before(async () => {
    sandbox = await createSandbox();
  });
  after(async () => {
    await sandbox.remove();
  });
  beforeEach(async () => {
    await sandbox.client.query(`DROP TABLE IF EXISTS "${plan.table}"; ${createTableStatement(plan)}`);
  });

  const key = 'ADD CONSTRAINT key';
  for (const [what, statement] of [
    ['a primary key', `ALTER TABLE "${plan.table}" ADD PRIMARY KEY (_id)`],
    ['a unique constraint', `ALTER TABLE "${plan.table}" ${key} UNIQUE (_id)`],
    ['a unique index', `CREATE UNIQUE INDEX ON "${plan.table}" (_id)`],
    ['one that has other columns with it', `CREATE UNIQUE INDEX ON "${plan.table}" (_id) INCLUDE (name)`],
  ] as const) {
    it(`is accepted with ${what}`, async () => {
      await sandbox.client.query(statement);
      await requireUniqueKey(sandbox.client, plan);
    });
  }

  // Each was seen to be accepted without its part of the condition.
  for (const [what, statement] of [
    ['no index', 'SELECT 1'],
    ['an index that is not unique', `CREATE INDEX ON "${plan.table}" (_id)`],
    ['a partial one', `CREATE UNIQUE INDEX ON "${plan.table}" (_id) WHERE name IS NOT NULL`],
    ['one of two columns', `CREATE UNIQUE INDEX ON "${plan.table}" (_id, name)`],
    ['one of another column', `CREATE UNIQUE INDEX ON "${plan.table}" (name)`],
    ['one of _id and an expression', `CREATE UNIQUE INDEX ON "${plan.table}" (_id, (name || 'x'))`],
    ['one that is checked at the commit', `ALTER TABLE "${plan.table}" ${key} UNIQUE (_id) DEFERRABLE`],
    [
      'one whose building failed',
      `CREATE UNIQUE INDEX broken ON "${plan.table}" (_id);
       UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'broken'::regclass`,
    ],
  ] as const) {
    it(`is refused with ${what}, and the fix is sufficient`, async () => {
      await sandbox.client.query(statement);
      const error = await requireUniqueKey(sandbox.client, plan).then(
        () => null,
        (thrown: unknown) => thrown,
      );
      assert.ok(error instanceof TargetError);
      assert.equal(error.code, 'FOLLOW_NEEDS_KEY');
      await sandbox.client.query(error.fix.replace('make one: ', ''));
      await requireUniqueKey(sandbox.client, plan);
    });
  }
});
