/** The command aggregate, as far as counting, sampling and change streams need it. */
import { copyDocument, ListSource } from '../batch-sources.ts';
import { bsonTypes } from '../../../../../src/bson/types.ts';
import { byBytes } from '../../../../../src/bson/match/compare.ts';
import type { CommandReader } from '../command-reader.ts';
import { CommandError, ErrorCode, notImplemented } from '../errors.ts';
import type { Reply } from '../wire/message.ts';
import { parseStage, readAll } from '../query/pipeline.ts';
import type { Rows } from '../query/pipeline.ts';
import { checkHint, defaultFirstBatchDocuments, readBatchSize, readTextOrder } from './arguments.ts';
import { isChangeStream, openChangeStream } from './change-stream.ts';
import { findReadable, namespaceOf, replyFirstBatch } from './command.ts';
import type { CommandContext } from './command.ts';

export function aggregate(context: CommandContext): Reply {
  const { command } = context;
  command.refuseUnknown([
    ...['pipeline', 'cursor', 'hint', 'collation', 'allowDiskUse', 'explain', 'let'],
    ...['bypassDocumentValidation', 'fromMongos', 'needsMerge', 'exchange'],
  ]);
  for (const option of ['explain', 'let', 'fromMongos', 'needsMerge', 'exchange']) {
    if (command.has(option)) {
      throw notImplemented(`the option ${option} of aggregate`);
    }
  }
  checkHint(command);
  const pipeline = command.required('pipeline', command.array('pipeline'));
  if (isChangeStream(pipeline)) {
    requireCursor(command);
    // The collection's own does not matter to a change stream.
    if (readTextOrder(command, undefined) !== byBytes) throw notImplemented('a collation of a change stream');
    return openChangeStream(context, pipeline);
  }
  if (command.value('aggregate')?.type !== bsonTypes.string) {
    throw notImplemented('aggregation without a collection');
  }
  requireCursor(command);
  const collection = findReadable(context);
  const order = readTextOrder(command, collection?.documents);
  const stages = pipeline.map((stage, index) => parseStage(stage, index, namespaceOf(context), order));
  let rows: Rows = collection === undefined ? [] : readAll(collection.documents);
  for (const stage of stages) {
    rows = stage(rows);
  }
  const documents = Array.from(rows, copyDocument);
  return replyFirstBatch(
    context,
    new ListSource(documents),
    readBatchSize(command, defaultFirstBatchDocuments),
    false,
  );
}

function requireCursor(command: CommandReader): void {
  if (command.document('cursor') === undefined) {
    throw new CommandError(
      ErrorCode.failedToParse,
      "The 'cursor' option is required, except for aggregate with the explain argument",
    );
  }
}
