/** Shared by tests of the embedded MongoDB server: a server for each file, and a database for each test. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, afterEach, before, beforeEach } from 'node:test';
import { MongoClient, MongoServerError } from 'mongodb';
import type { Collection, Db, Document } from 'mongodb';
import { startMongoServer, type MongoServer } from '../../src/mongo/server.ts';

/** They exist while tests of the file run. */
export interface MongoOfTests<T extends Document> {
  /** Undefined if TEST_MONGO_URL names another server. */
  readonly server: MongoServer | undefined;
  readonly client: MongoClient;
  /** The database of the current test. */
  readonly db: Db;
  /** The collection `things` of `db`. */
  readonly things: Collection<T>;
}

/**
 * To be called once, at the beginning of a file.
 * @param name the prefix of database names
 * @param from `given`: the server of TEST_MONGO_URL, such as a real mongod, if the variable is set
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

/** Asserts that the server answers with this error code and, if given, such a message. */
export async function assertFails(promise: Promise<unknown>, code: number, message?: RegExp): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof MongoServerError, String(error));
    assert.equal(error.code, code, error.message);
    if (message !== undefined) assert.match(error.message, message);
    return true;
  });
}
