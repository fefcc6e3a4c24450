/** What test files of the embedded MongoDB server share: a server for all of a file, and a database for each test. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, afterEach, before, beforeEach } from 'node:test';
import { MongoClient, MongoServerError } from 'mongodb';
import type { Collection, Db, Document } from 'mongodb';
import { startMongoServer, type MongoServer } from '../../src/mongo/server.ts';

/** Each is there while tests of the file run. */
export interface MongoOfTests<T extends Document> {
  /** Undefined where TEST_MONGO_URL names another server. */
  readonly server: MongoServer | undefined;
  readonly client: MongoClient;
  /** Of the test that runs. */
  readonly db: Db;
  /** The collection `things` of `db`. */
  readonly things: Collection<T>;
}

/**
 * To be called once, at the beginning of a file.
 * @param name what the names of databases begin with
 * @param from `given`: the server of TEST_MONGO_URL, a real mongod say, where the variable is set
 */
export function useMongo<T extends Document>(name: string, from: 'embedded' | 'given'): MongoOfTests<T> {
  let server: MongoServer | undefined;
  let client: MongoClient | undefined;
  let db: Db | undefined;
  before(async () => {
    const given = from === 'given' ? (process.env.TEST_MONGO_URL ?? '') : '';
    if (given === '') server = await startMongoServer();
    client = await MongoClient.connect(server?.url ?? given);
  });
  after(async () => {
    await client?.close();
    await server?.close();
  });
  beforeEach(() => {
    db = client?.db(`${name}_${randomUUID().slice(0, 8)}`);
  });
  afterEach(() => db?.dropDatabase());
  return {
    get server() {
      return server;
    },
    get client() {
      return present(client);
    },
    get db() {
      return present(db);
    },
    get things() {
      return present(db).collection<T>('things');
    },
  };
}

function present<T>(value: T | undefined): T {
  assert.ok(value !== undefined, 'there is one while a test runs');
  return value;
}

/** The server answers with this error code, and, where it is given, with such a message. */
export async function assertFails(promise: Promise<unknown>, code: number, message?: RegExp): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof MongoServerError, String(error));
    assert.equal(error.code, code, error.message);
    if (message !== undefined) assert.match(error.message, message);
    return true;
  });
}
