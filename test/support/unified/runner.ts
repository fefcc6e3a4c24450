/**
 * Runs tests in the unified test format of the MongoDB drivers, as far as the tests of change streams need it.
 *
 * https://github.com/mongodb/specifications/blob/master/source/unified-test-format/unified-test-format.md
 */
import assert from 'node:assert/strict';
import { MongoClient, MongoServerError } from 'mongodb';
import type { ChangeStream, Collection, CommandStartedEvent, Db, Document } from 'mongodb';
import { assertMatches } from './match.ts';

export type Topology = 'replicaset' | 'single';

/** A server that tests are run on. */
export interface UnifiedServer {
  readonly url: string;
  /** Such as 7.0.0. */
  readonly version: string;
  readonly topology: Topology;
}

interface Requirement {
  readonly minServerVersion?: string;
  readonly maxServerVersion?: string;
  readonly topologies?: readonly string[];
}

interface Operation {
  readonly name: string;
  readonly object: string;
  readonly arguments?: Document;
  readonly expectResult?: unknown;
  readonly expectError?: ExpectedError;
  readonly saveResultAsEntity?: string;
}

interface ExpectedError {
  readonly errorCode?: number;
  readonly errorCodeName?: string;
  readonly errorLabelsContain?: readonly string[];
  readonly isClientError?: boolean;
}

interface ExpectedEvents {
  readonly client: string;
  readonly ignoreExtraEvents?: boolean;
  readonly events: readonly { readonly commandStartedEvent: Document }[];
}

export interface UnifiedTest {
  readonly description: string;
  readonly runOnRequirements?: readonly Requirement[];
  readonly operations: readonly Operation[];
  readonly expectEvents?: readonly ExpectedEvents[];
}

export interface UnifiedFile {
  readonly description: string;
  readonly runOnRequirements?: readonly Requirement[];
  readonly createEntities: readonly Document[];
  readonly initialData?: readonly {
    readonly databaseName: string;
    readonly collectionName: string;
    readonly documents: readonly Document[];
  }[];
  readonly tests: readonly UnifiedTest[];
}

/** The server that can run the test; why the first cannot, if none can. */
export function chooseServer<T extends Omit<UnifiedServer, 'url'>>(
  file: UnifiedFile,
  test: UnifiedTest,
  servers: readonly T[],
): T | string {
  const reasons: string[] = [];
  for (const server of servers) {
    const reason = findMissing(file.runOnRequirements, server) ?? findMissing(test.runOnRequirements, server);
    if (reason === null) return server;
    reasons.push(reason);
  }
  return reasons[0] ?? 'there is no server';
}

/** Null when one of the requirements is met. */
function findMissing(
  requirements: readonly Requirement[] | undefined,
  { version, topology }: Omit<UnifiedServer, 'url'>,
): string | null {
  const reasons = (requirements ?? [{}]).map(({ minServerVersion, maxServerVersion, topologies }) => {
    if (topologies?.includes(topology) === false) return `is for ${topologies.join(', ')}`;
    if (minServerVersion !== undefined && compareVersions(version, minServerVersion) < 0) {
      return `needs MongoDB ${minServerVersion} or later`;
    }
    if (maxServerVersion !== undefined && compareVersions(version, maxServerVersion) > 0) {
      return `is for MongoDB up to ${maxServerVersion}`;
    }
    return null;
  });
  return reasons.includes(null) ? null : reasons.join(', or ');
}

function compareVersions(a: string, b: string): number {
  const [first, second] = [a, b].map((version) => version.split('.').map(Number));
  for (const index of [0, 1, 2]) {
    const difference = (first?.[index] ?? 0) - (second?.[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** @throws AssertionError when the test fails */
export async function runUnifiedTest(
  file: UnifiedFile,
  test: UnifiedTest,
  server: UnifiedServer,
): Promise<void> {
  const entities = new Entities(server.url);
  const admin = await MongoClient.connect(server.url);
  try {
    for (const { databaseName, collectionName, documents } of file.initialData ?? []) {
      const db = admin.db(databaseName);
      await db.collection(collectionName).drop();
      await db.createCollection(collectionName);
      if (documents.length > 0) await db.collection(collectionName).insertMany([...documents]);
    }
    await entities.create(file.createEntities);
    for (const operation of test.operations) {
      await run(operation, entities);
    }
    for (const expected of test.expectEvents ?? []) {
      checkEvents(entities.eventsOf(expected.client), expected);
    }
  } finally {
    for (const name of entities.failPoints) {
      await admin.db('admin').command({ configureFailPoint: name, mode: 'off' });
    }
    await entities.close();
    await admin.close();
  }
}

class Entities {
  readonly failPoints = new Set<string>();
  readonly #url: string;
  readonly #all = new Map<string, unknown>();
  readonly #events = new Map<string, CommandStartedEvent[]>();

  constructor(url: string) {
    this.#url = url;
  }

  async create(specs: readonly Document[]): Promise<void> {
    for (const spec of specs) {
      const [found] = Object.entries(spec);
      const [kind, entity] = [found?.[0] ?? '', found?.[1] as Readonly<Record<string, string>>];
      const { id = '', client = '', database = '', databaseName = '', collectionName = '' } = entity;
      switch (kind) {
        case 'client':
          this.#all.set(id, await this.#connect(id, entity.ignoreCommandMonitoringEvents ?? []));
          break;
        case 'database':
          this.#all.set(id, this.get<MongoClient>(client).db(databaseName));
          break;
        case 'collection':
          this.#all.set(id, this.get<Db>(database).collection(collectionName));
          break;
        default:
          throw new Error(`the entity ${kind} is not known to these tests`);
      }
    }
  }

  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the data says what an entity is
  get<T>(id: string): T {
    const entity = this.#all.get(id);
    assert.ok(entity !== undefined, `there is no entity ${id}`);
    return entity as T;
  }

  set(id: string, entity: unknown): void {
    this.#all.set(id, entity);
  }

  eventsOf(client: string): readonly CommandStartedEvent[] {
    return this.#events.get(client) ?? [];
  }

  async close(): Promise<void> {
    for (const entity of [...this.#all.values()].reverse()) {
      if (entity instanceof MongoClient || isChangeStream(entity)) await entity.close();
    }
  }

  async #connect(id: string, ignored: string | readonly string[]): Promise<MongoClient> {
    const client = await MongoClient.connect(this.#url, { monitorCommands: true });
    const events: CommandStartedEvent[] = [];
    client.on('commandStarted', (event) => {
      if (!ignored.includes(event.commandName) && event.commandName !== 'configureFailPoint') {
        events.push(event);
      }
    });
    this.#events.set(id, events);
    return client;
  }
}

function isChangeStream(entity: unknown): entity is ChangeStream {
  return typeof entity === 'object' && entity !== null && 'tryNext' in entity && 'resumeToken' in entity;
}

async function run(operation: Operation, entities: Entities): Promise<void> {
  const { expectError, expectResult, saveResultAsEntity } = operation;
  let result: unknown;
  try {
    result = await execute(operation, entities);
  } catch (error) {
    if (expectError === undefined) throw error;
    checkError(error, expectError);
    return;
  }
  assert.equal(expectError, undefined, `${operation.name} did not fail`);
  if (expectResult !== undefined) assertMatches(result, expectResult);
  if (saveResultAsEntity !== undefined) entities.set(saveResultAsEntity, result);
}

async function execute(operation: Operation, entities: Entities): Promise<unknown> {
  const { name, object } = operation;
  const { ...options } = operation.arguments ?? {};
  const collection = (): Collection => entities.get<Collection>(object);
  const db = (): Db => entities.get<Db>(object);
  switch (name) {
    case 'failPoint': {
      const failPoint = options.failPoint as Document;
      entities.failPoints.add(String(failPoint.configureFailPoint));
      return await entities.get<MongoClient>(String(options.client)).db('admin').command(failPoint);
    }
    case 'createChangeStream': {
      const { pipeline, ...others } = options;
      const stream = entities.get<Collection>(object).watch(pipeline as Document[], others);
      await open(stream);
      return stream;
    }
    case 'iterateUntilDocumentOrError':
      return await entities.get<ChangeStream>(object).next();
    case 'insertOne':
      return await collection().insertOne(options.document as Document);
    case 'updateOne':
      return await collection().updateOne(options.filter as Document, options.update as Document);
    case 'replaceOne':
      return await collection().replaceOne(options.filter as Document, options.replacement as Document);
    case 'deleteOne':
      return await collection().deleteOne(options.filter as Document);
    case 'rename': {
      const { to, ...others } = options;
      return await collection().rename(String(to), others);
    }
    case 'createIndex':
      return await collection().createIndexes([
        { key: options.keys as Document, name: String(options.name) },
      ]);
    case 'dropIndex':
      return await collection().dropIndex(String(options.name));
    case 'createCollection': {
      const { collection: created, ...others } = options;
      return await db().createCollection(String(created), others);
    }
    case 'dropCollection':
      return await db().dropCollection(String(options.collection));
    case 'runCommand':
      return await db().command(options.command as Document);
    default:
      throw new Error(`the operation ${name} is not known to these tests`);
  }
}

/** Sends only the aggregate, which the driver otherwise sends with the first getMore. */
async function open(stream: ChangeStream): Promise<void> {
  const cursor: unknown = Reflect.get(stream, 'cursor');
  assert.ok(typeof cursor === 'object' && cursor !== null);
  const init = Reflect.get(cursor, 'cursorInit') as () => Promise<void>;
  await init.call(cursor);
}

function checkError(error: unknown, expected: ExpectedError): void {
  const { errorCode, errorCodeName, errorLabelsContain = [], isClientError } = expected;
  assert.ok(error instanceof Error);
  if (isClientError !== undefined) {
    assert.equal(!(error instanceof MongoServerError), isClientError, String(error));
  }
  if (errorCode !== undefined || errorCodeName !== undefined) {
    assert.ok(error instanceof MongoServerError, String(error));
    assert.equal(error.code, errorCode ?? error.code);
    assert.equal(error.codeName, errorCodeName ?? error.codeName);
  }
  for (const label of errorLabelsContain) {
    assert.ok(error instanceof MongoServerError && error.hasErrorLabel(label), `the error lacks ${label}`);
  }
}

function checkEvents(
  events: readonly CommandStartedEvent[],
  { events: expected, ignoreExtraEvents = false }: ExpectedEvents,
): void {
  if (!ignoreExtraEvents) assert.equal(events.length, expected.length);
  for (const [index, { commandStartedEvent }] of expected.entries()) {
    const event = events[index];
    assert.ok(event !== undefined, `there are only ${events.length} commands`);
    const { command, commandName, databaseName } = commandStartedEvent;
    if (command !== undefined) assertMatches(event.command, command, 'command');
    if (commandName !== undefined) assert.equal(event.commandName, commandName);
    if (databaseName !== undefined) assert.equal(event.databaseName, databaseName);
  }
}
