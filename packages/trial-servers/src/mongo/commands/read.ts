/** Commands that read documents: find, getMore, killCursors, count. */
import { Batch } from '../batch.ts';
import { ChangeStream } from '../change-stream/change-stream.ts';
import { copyDocument, IndexSource, ListSource } from '../batch-sources.ts';
import type { BatchSource } from '../cursors.ts';
import { notImplemented } from '../errors.ts';
import type { Filter } from '../../../../../src/bson/match/filter.ts';
import type { Reply } from '../wire/message.ts';
import { parseProjection } from '../query/projection.ts';
import type { Projection } from '../query/projection.ts';
import { idOrder, parseSort } from '../query/sort.ts';
import type { Sort } from '../query/sort.ts';
import { countMatches, scanMatches } from '../query/matches.ts';
import { checkHint, defaultFirstBatchDocuments, readSelection } from './arguments.ts';
import { getMoreOfStream } from './change-stream.ts';
import { findReadable, replyFirstBatch, succeed } from './command.ts';
import type { CommandContext, Readable } from './command.ts';

const findArguments = [
  ...['filter', 'sort', 'projection', 'hint', 'skip', 'limit', 'batchSize', 'singleBatch', 'collation'],
  // These change nothing here: no cursor times out within a read, nothing is sharded, no sort is limited.
  ...['noCursorTimeout', 'allowPartialResults', 'allowDiskUse'],
  ...['max', 'min', 'returnKey', 'showRecordId', 'tailable', 'awaitData', 'oplogReplay', 'let'],
];
const unsupportedFlags = ['returnKey', 'showRecordId', 'tailable', 'awaitData'];
const unsupportedArguments = ['max', 'min', 'let'];

export function find(context: CommandContext): Reply {
  const { command } = context;
  command.refuseUnknown(findArguments);
  for (const name of unsupportedFlags) {
    if (command.boolean(name) === true) {
      throw notImplemented(`the option ${name} of find`);
    }
  }
  for (const name of unsupportedArguments) {
    if (command.has(name)) {
      throw notImplemented(`the option ${name} of find`);
    }
  }
  checkHint(command);
  const collection = findReadable(context);
  const { filter, order } = readSelection(command, 'filter', collection?.documents);
  const sortSpec = command.rawDocument('sort');
  const sort = sortSpec === undefined ? idOrder : parseSort(sortSpec, order, collection?.documents.order);
  const projectionSpec = command.rawDocument('projection');
  const project = projectionSpec && parseProjection(projectionSpec);
  const skip = command.count('skip') ?? 0;
  const limit = command.count('limit') ?? 0;
  const maxDocuments = command.count('batchSize') ?? defaultFirstBatchDocuments;
  const source =
    collection === undefined
      ? new ListSource([])
      : createSource(collection, filter, sort, project, skip, limit);
  return replyFirstBatch(context, source, maxDocuments, command.boolean('singleBatch') ?? false);
}

export function getMore(context: CommandContext): Reply | Promise<Reply> {
  const { command, server, database } = context;
  command.refuseUnknown(['collection', 'batchSize', 'term', 'lastKnownCommittedOpTime']);
  const id = command.int64(command.required('getMore', command.value('getMore')));
  const collection = command.required('collection', command.string('collection'));
  const namespace = `${database}.${collection}`;
  const cursor = server.cursors.get(id, namespace);
  // A batch size of 0 stands for none.
  const maxDocuments = command.count('batchSize') ?? 0;
  const wanted = maxDocuments === 0 ? Infinity : maxDocuments;
  if (cursor.source instanceof ChangeStream) {
    return getMoreOfStream(context, cursor, cursor.source, wanted);
  }
  server.failPoints.failGetMore();
  const batch = new Batch();
  const isExhausted = cursor.source.fill(batch, wanted);
  if (isExhausted) {
    server.cursors.close(id);
  }
  return { cursor: { namespace, cursorId: isExhausted ? 0n : id, batchName: 'nextBatch', batch } };
}

export function killCursors({ command, server }: CommandContext): Reply {
  command.refuseUnknown(['cursors']);
  command.collection();
  const cursorsKilled: unknown[] = [];
  const cursorsNotFound: unknown[] = [];
  for (const field of command.required('cursors', command.array('cursors'))) {
    const id = command.int64(field);
    (server.cursors.close(id) ? cursorsKilled : cursorsNotFound).push(id);
  }
  return succeed({ cursorsKilled, cursorsNotFound, cursorsAlive: [], cursorsUnknown: [] });
}

export function count(context: CommandContext): Reply {
  const { command } = context;
  command.refuseUnknown(['query', 'limit', 'skip', 'hint', 'collation', 'fields']);
  checkHint(command);
  const collection = findReadable(context);
  const { filter } = readSelection(command, 'query', collection?.documents);
  const skip = command.count('skip') ?? 0;
  const limit = command.count('limit') ?? 0;
  const found = collection === undefined ? 0 : countMatches(collection.documents, filter);
  const rest = Math.max(0, found - skip);
  return succeed({ n: limit === 0 ? rest : Math.min(rest, limit) });
}

function createSource(
  { documents, metadata }: Readable,
  filter: Filter,
  sort: Sort,
  project: Projection | undefined,
  skip: number,
  limit: number,
): BatchSource {
  const { direction, isIndexOrder, sortDocuments } = sort;
  if (isIndexOrder) {
    return new IndexSource(documents, { uuid: metadata.uuid, filter, direction, skip, limit, project });
  }
  const sorted = sortDocuments([...scanMatches(documents, filter)]);
  const wanted = sorted.slice(skip, limit === 0 ? undefined : skip + limit);
  return new ListSource(
    wanted.map((document) =>
      project === undefined
        ? copyDocument(document)
        : { bytes: project(document.bytes, document.start), start: 0 },
    ),
  );
}
