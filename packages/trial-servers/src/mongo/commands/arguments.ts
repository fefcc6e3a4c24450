/** Arguments that several commands share. */
import { readFields, readString } from '../../../../../src/bson/raw-value.ts';
import { bsonTypes } from '../../../../../src/bson/types.ts';
import type { CommandReader } from '../command-reader.ts';
import { parseCollation } from '../query/collation.ts';
import type { Collection } from '../storage/collection.ts';
import { decodeDocument } from '../decode.ts';
import { CommandError, ErrorCode } from '../errors.ts';
import { alongIndex } from '../query/matches.ts';
import { byBytes, type TextOrder } from '../../../../../src/bson/match/compare.ts';
import { matchAll, parseFilter } from '../../../../../src/bson/match/filter.ts';
import type { Filter } from '../../../../../src/bson/match/filter.ts';

/** mongod's, for a first batch whose size the client leaves open. */
export const defaultFirstBatchDocuments = 101;

export function readFilter(command: CommandReader, name: string, order?: TextOrder): Filter {
  const filter = command.rawDocument(name);
  return filter === undefined ? matchAll : parseFilter(filter.bytes, filter.start, order);
}

/** A filter of a collection's documents, and in what order texts are to be compared. */
export interface Selection {
  readonly filter: Filter;
  readonly order: TextOrder;
}

/** @param documents of the collection; undefined when there is none, and nothing to be found */
export function readSelection(
  command: CommandReader,
  name: string,
  documents: Collection | undefined,
): Selection {
  const order = readTextOrder(command, documents);
  const filter = readFilter(command, name, order);
  return { filter: documents === undefined ? filter : alongIndex(filter, order, documents.order), order };
}

/** As the command's collation says, else as the collection's does. */
export function readTextOrder(command: CommandReader, documents: Collection | undefined): TextOrder {
  const collation = command.rawDocument('collation');
  if (collation === undefined) return documents?.order ?? byBytes;
  return parseCollation(decodeDocument(collation))?.order ?? byBytes;
}

/** There is one index: a hint names it, or requests a plain scan, which is in the same order here. */
export function checkHint(command: CommandReader): void {
  const hint = command.value('hint');
  if (hint === undefined) {
    return;
  }
  const names =
    hint.type === bsonTypes.string
      ? [readString(hint)]
      : hint.type === bsonTypes.object
        ? Array.from(readFields(hint.bytes, hint.start), (field) => field.name)
        : [];
  if (names.length > 1 || names.some((name) => !['_id_', '_id', '$natural'].includes(name))) {
    throw new CommandError(
      ErrorCode.badValue,
      'error processing query: planner returned error :: caused by :: hint provided does not correspond to an existing index',
    );
  }
}

/** `cursor.batchSize`. */
export function readBatchSize(command: CommandReader, defaultDocuments: number): number {
  const cursor = command.document('cursor');
  cursor?.refuseUnknown(['batchSize']);
  return cursor?.count('batchSize') ?? defaultDocuments;
}
