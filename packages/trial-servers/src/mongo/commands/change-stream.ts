/** Opens change streams, and waits for their events. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { readFields } from '../../../../../src/bson/raw-value.ts';
import type { RawField } from '../../../../../src/bson/raw-value.ts';
import { bsonTypes } from '../../../../../src/bson/types.ts';
import { Batch } from '../batch.ts';
import { ChangeStream } from '../change-stream/change-stream.ts';
import { labelError } from '../change-stream/errors.ts';
import { parseStreamOptions } from '../change-stream/options.ts';
import { parseEventStage } from '../change-stream/stages.ts';
import type { DocumentRef } from '../storage/collection.ts';
import type { Cursor } from '../cursors.ts';
import { CommandError, ErrorCode } from '../errors.ts';
import { idTypeOffset, idValueOffset } from '../storage/id-index.ts';
import type { Reply } from '../wire/message.ts';
import type { Oplog } from '../oplog/oplog.ts';
import type { Place } from '../storage/place.ts';
import { waitFor } from '../wait.ts';
import { defaultFirstBatchDocuments, readBatchSize } from './arguments.ts';
import type { CommandContext, ServerState } from './command.ts';

/** The default wait of a getMore, as mongod's. */
const defaultAwaitMs = 1000;

export function isChangeStream(pipeline: readonly RawField[]): boolean {
  const [first] = pipeline;
  const name = first?.type === bsonTypes.object ? readFields(first.bytes, first.start).next() : undefined;
  return name?.done !== true && name?.value.name === '$changeStream';
}

export function openChangeStream(context: CommandContext, pipeline: readonly RawField[]): Reply {
  const { command, server, database } = context;
  const { replicaSet } = server;
  const collection = command.isString('aggregate') ? command.collection() : undefined;
  const [first, ...others] = pipeline;
  const [stage] = first === undefined ? [] : readFields(first.bytes, first.start);
  if (stage === undefined) {
    throw new CommandError(40323, 'A pipeline stage specification object must contain exactly one field.');
  }
  const options = parseStreamOptions(stage, database, collection, replicaSet !== undefined);
  const stages = others.map(parseEventStage);
  const stream = new ChangeStream(server.writes.oplog, options, stages, (place, key) =>
    lookUp(server, place, key),
  );
  const maxDocuments = readBatchSize(command, defaultFirstBatchDocuments);
  const batch = new Batch();
  const isEnded = maxDocuments > 0 && stream.fill(batch, maxDocuments);
  const namespace = `${database}.${collection ?? '$cmd.aggregate'}`;
  const cursorId = isEnded ? 0n : server.cursors.open(namespace, stream).id;
  return { cursor: { namespace, cursorId, batchName: 'firstBatch', batch, resumeToken: stream.resumeToken } };
}

/** Answers when there is an event, or when the client has waited long enough. */
export async function getMoreOfStream(
  context: CommandContext,
  cursor: Cursor,
  stream: ChangeStream,
  maxDocuments: number,
): Promise<Reply> {
  const { command, connection, server } = context;
  const { cursors, failPoints } = server;
  const { id, namespace } = cursor;
  const deadlineMs = performance.now() + (command.count('maxTimeMS') ?? defaultAwaitMs);
  const release = cursors.use(cursor);
  try {
    failPoints.failGetMore();
    const isSilent = failPoints.isSilent;
    for (;;) {
      if (cursor.isKilled) {
        throw new CommandError(ErrorCode.cursorKilled, 'operation was interrupted: the cursor was killed');
      }
      const batch = new Batch();
      const isEnded = !isSilent && stream.fill(batch, maxDocuments);
      const leftMs = deadlineMs - performance.now();
      if (batch.count > 0 || isEnded || leftMs <= 0 || connection.ended.aborted) {
        if (isEnded) {
          cursors.close(id);
        }
        const cursorId = isEnded ? 0n : id;
        return {
          cursor: { namespace, cursorId, batchName: 'nextBatch', batch, resumeToken: stream.resumeToken },
        };
      }
      if (stream.isBehind && !isSilent) {
        await nextTurn();
      } else {
        await waitFor((wake) => listen(stream.oplog, cursor, wake, isSilent), leftMs, connection.ended);
      }
    }
  } catch (error) {
    cursors.close(id);
    throw labelError(error);
  } finally {
    release();
  }
}

/** For the next operation, or the cursor's end. */
function listen(oplog: Oplog, cursor: Cursor, wake: () => void, isSilent: boolean): () => void {
  const stop = isSilent ? undefined : oplog.onAppend(wake);
  cursor.onKilled = wake;
  return () => {
    stop?.();
    cursor.onKilled = undefined;
  };
}

/** The current state of the majority. */
function lookUp(
  server: ServerState,
  { uuid }: Place,
  { bytes, start }: DocumentRef,
): DocumentRef | undefined {
  const stored = server.catalog.findByUuid(uuid);
  const documents = stored?.majority ?? stored?.documents;
  const address = documents?.find(bytes[start + idTypeOffset] ?? 0, bytes, start + idValueOffset);
  return address === undefined ? undefined : documents?.refOf(address);
}
