/** The command aggregate, as far as counting and sampling need it. */
import { copyDocument, ListSource } from '../batch-sources.ts';
import { BsonType } from '../../../match/bson-view.ts';
import { CommandError, ErrorCode, notImplemented } from '../errors.ts';
import type { Reply } from '../message.ts';
import { parseStage, readAll } from '../pipeline.ts';
import type { Rows } from '../pipeline.ts';
import { checkCollation, checkHint, defaultFirstBatchDocuments, readBatchSize } from './arguments.ts';
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
  checkCollation(command);
  if (command.value('aggregate')?.type !== BsonType.string) {
    throw notImplemented('aggregation without a collection');
  }
  if (command.document('cursor') === undefined) {
    throw new CommandError(
      ErrorCode.failedToParse,
      "The 'cursor' option is required, except for aggregate with the explain argument",
    );
  }
  const stages = command
    .required('pipeline', command.array('pipeline'))
    .map((stage, index) => parseStage(stage, index, namespaceOf(context)));
  const stored = findReadable(context);
  let rows: Rows = stored === undefined ? [] : readAll(stored.documents);
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
