/** What each document requires before its commands: documents in MongoDB, a copy, a dump, a package. */

import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import { ExitCode } from '../../src/common/errors.ts';
import { dumpBson } from '../support/dump.ts';
import { packInto } from '../support/package.ts';
import type { Stage, StageKind } from '../support/stage.ts';

export interface Preparation {
  readonly kind?: StageKind;
  /** What the document requires. */
  readonly prepare?: (stage: Stage) => Promise<void>;
}

export const preparations: Readonly<Record<string, Preparation>> = {
  'README.md': { kind: 'new checkout', prepare: fillUsers },
  'docs/doctor.md': { prepare: fillUsers },
  'docs/dumps.md': { prepare: writeDumps },
  'docs/library.md': { kind: 'elsewhere', prepare: packHere },
  'docs/monitoring.md': { prepare: copyShop },
  'docs/plan.md': { prepare: fillUsers },
  'docs/quick-start.md': { kind: 'new checkout', prepare: fillUsers },
  'docs/scripts.md': { prepare: fillUsers },
  'docs/stopped-runs.md': { prepare: fillUsers },
  'docs/tables.md': { prepare: fillUsers },
  'docs/tuning.md': { prepare: fillUsers },
  'docs/types.md': { prepare: fillVisits },
  'docs/verify.md': { prepare: copyUsers },
};

const users = Array.from({ length: 2_000 }, (_, index) => ({
  username: `user ${index}`,
  email: `user${index}@example.org`,
  age: 18 + (index % 50),
  registered_at: new Date(Date.UTC(2020, 0, 1 + (index % 1_000))),
}));

export async function fillUsers({ servers }: Stage): Promise<void> {
  const collection = servers.mongo.db('school').collection('users');
  await collection.insertMany(users.map((user) => ({ ...user })));
}

async function fillVisits({ servers }: Stage): Promise<void> {
  const times = ['2024-02-29T12:00:00Z', '2024-03-01T09:30:00.250Z', '2024-03-01T00:00:00Z'];
  await servers.mongo
    .db('school')
    .collection<{ _id: number }>('visits')
    .insertMany(times.map((at, index) => ({ _id: index + 1, page: { url: '/', at: new Date(at) } })));
}

async function copyUsers(stage: Stage): Promise<void> {
  await fillUsers(stage);
  await requireCode(stage, 'npm start', ExitCode.ok);
}

async function copyShop(stage: Stage): Promise<void> {
  const shop = stage.servers.mongo.db('shop');
  const orders = users.map((_, index) => ({ note: index === 7 ? 'N\0UL' : `order ${index}` }));
  await shop.collection('orders').insertMany(orders);
  await shop.collection('customers').insertMany(users.slice(0, 500).map((user) => ({ ...user })));
  await shop.createCollection('drafts');
  await requireCode(stage, "MONGO_DB=shop MONGO_COLLECTION='*' npm start", ExitCode.deadLetters);
}

/** A complete one, and a truncated one. */
async function writeDumps(stage: Stage): Promise<void> {
  const whole = dumpBson(users.map((user, _id) => ({ _id, ...user })));
  await stage.write('dump/school/users.bson.gz', gzipSync(whole));
  await stage.write('dump/torn/users.bson', whole.subarray(0, whole.length - 10));
}

async function packHere(stage: Stage): Promise<void> {
  await packInto(stage.folder);
  await fillUsers(stage);
}

export async function requireCode(stage: Stage, command: string, wanted: number): Promise<void> {
  const { code, text } = await stage.shell(command);
  assert.equal(code, wanted, text);
}
