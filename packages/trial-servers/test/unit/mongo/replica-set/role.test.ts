import assert from 'node:assert/strict';
import { it } from 'node:test';
import { serialize } from 'bson';
import type { Document } from 'bson';
import { CommandReader } from '../../../../src/mongo/command-reader.ts';
import { CommandError } from '../../../../src/mongo/errors.ts';
import { Oplog } from '../../../../src/mongo/oplog/oplog.ts';
import { ReplicaSet } from '../../../../src/mongo/replica-set/replica-set.ts';
import { checkRole } from '../../../../src/mongo/replica-set/role.ts';
import { TopologyVersion } from '../../../../src/mongo/replica-set/topology-version.ts';

function codeOf(command: Document, replicaSet: ReplicaSet | undefined): number | undefined {
  try {
    checkRole(new CommandReader(Buffer.from(serialize(command)), 0), replicaSet);
    return undefined;
  } catch (error) {
    assert.ok(error instanceof CommandError);
    return error.code;
  }
}

it('a member that is not primary refuses writes, and reads with read preference primary', () => {
  const replicaSet = new ReplicaSet('set', new Oplog(), new TopologyVersion());
  assert.equal(codeOf({ insert: 'a' }, replicaSet), undefined);
  replicaSet.stepDown(60_000);
  assert.equal(codeOf({ insert: 'a' }, replicaSet), 10107);
  assert.equal(codeOf({ find: 'a' }, replicaSet), 13435);
  assert.equal(codeOf({ find: 'a', $readPreference: { mode: 'primary' } }, replicaSet), 13435);
  assert.equal(codeOf({ find: 'a', $readPreference: { mode: 'secondary' } }, replicaSet), undefined);
  assert.equal(codeOf({ hello: 1 }, replicaSet), undefined);
  assert.equal(codeOf({ insert: 'a' }, undefined), undefined);
  replicaSet.becomePrimary();
  assert.equal(codeOf({ insert: 'a' }, replicaSet), undefined);
});
