/** The input and output of a command. */
import { Batch } from '../batch.ts';
import type { Catalog } from '../catalog.ts';
import type { StoredCollection } from '../storage/stored-collection.ts';
import type { CommandReader } from '../command-reader.ts';
import type { BatchSource, Cursors } from '../cursors.ts';
import { CommandError, ErrorCode, notImplemented } from '../errors.ts';
import type { FailPoints } from '../failpoints.ts';
import type { ReplicaSetFaults } from '../replica-set-faults.ts';
import type { Reply, Request } from '../wire/message.ts';
import type { ReadConcern } from '../replica-set/read-concern.ts';
import type { ReplicaSet } from '../replica-set/replica-set.ts';
import type { RetryableWrites, StatementLog } from '../replica-set/retryable-writes.ts';
import type { TopologyVersion } from '../replica-set/topology-version.ts';
import type { WriteLog } from '../write-log.ts';

/** What all connections of a server share. */
export interface ServerState {
  readonly catalog: Catalog;
  readonly cursors: Cursors;
  readonly failPoints: FailPoints;
  readonly retryableWrites: RetryableWrites;
  readonly writes: WriteLog;
  readonly replicaSetFaults: ReplicaSetFaults;
  /** Identifies a state of the server: drivers wait for the next one. */
  readonly topologyVersion: TopologyVersion;
  /** Undefined for a standalone, which has no oplog and no change streams. */
  readonly replicaSet: ReplicaSet | undefined;
  /** Fields of the reply to hello that differ from those of a standalone. */
  readonly hello: Readonly<Record<string, unknown>>;
}

export interface ConnectionState {
  readonly id: number;
  /** The name the client gave with its hello. */
  appName: string | undefined;
  /** For a streaming hello: the topology version that was sent last. */
  toldTopology: number | undefined;
  /** Aborted when the connection ends, or the server does: commands stop waiting. */
  readonly ended: AbortSignal;
}

export interface CommandContext {
  readonly server: ServerState;
  readonly connection: ConnectionState;
  readonly database: string;
  readonly command: CommandReader;
  readonly request: Request;
  readonly readConcern: ReadConcern;
  /** Of a retryable write: the part that was done before. */
  readonly statements: StatementLog | undefined;
}

export type CommandHandler = (context: CommandContext) => Reply | Promise<Reply>;

/** `{...fields, ok: 1}`. */
export function succeed(fields: Record<string, unknown> = {}): Reply {
  return { document: { ...fields, ok: 1 } };
}

export function namespaceOf({ database, command }: CommandContext): string {
  return `${database}.${command.collection()}`;
}

export function requireAdmin({ database, command }: CommandContext): void {
  if (database !== 'admin') {
    throw new CommandError(
      ErrorCode.unauthorized,
      `${command.name} may only be run against the admin database.`,
    );
  }
}

/** For commands that mongod, too, has for collections only. */
export function refuseView(context: CommandContext, { metadata }: StoredCollection): void {
  if (metadata.type === 'view') {
    throw new CommandError(
      ErrorCode.commandNotSupportedOnView,
      `Namespace ${namespaceOf(context)} is a view, not a collection`,
    );
  }
}

/** A collection as a command reads it, which may be an older state of it. */
export type Readable = Pick<StoredCollection, 'documents' | 'metadata'>;

/** What a command reads; undefined when there is no such collection. */
export function findReadable(context: CommandContext): Readable | undefined {
  const { server, database, command, readConcern } = context;
  const stored = server.catalog.get(database, command.collection());
  if (stored?.metadata.type === 'view') {
    throw notImplemented('reading views');
  }
  return (
    stored && { documents: server.replicaSetFaults.read(stored, readConcern), metadata: stored.metadata }
  );
}

/** Starts a cursor: its first batch, and, unless that is all, its id. */
export function replyFirstBatch(
  context: CommandContext,
  source: BatchSource,
  maxDocuments: number,
  isSingleBatch: boolean,
  namespace = namespaceOf(context),
): Reply {
  const batch = new Batch();
  const isExhausted = source.fill(batch, maxDocuments);
  const cursorId = isExhausted || isSingleBatch ? 0n : context.server.cursors.open(namespace, source).id;
  return { cursor: { namespace, cursorId, batchName: 'firstBatch', batch } };
}
