/** Arguments that several commands share. */
import { BsonType, readFields, readString } from '../../../../../src/bson/match/bson-view.ts';
import type { CommandReader } from '../command-reader.ts';
import { CommandError, ErrorCode, notImplemented } from '../errors.ts';
import { matchAll, parseFilter } from '../../../../../src/bson/match/filter.ts';
import type { Filter } from '../../../../../src/bson/match/filter.ts';

/** mongod's, for a first batch whose size the client leaves open. */
export const defaultFirstBatchDocuments = 101;

export function readFilter(command: CommandReader, name: string): Filter {
  const filter = command.rawDocument(name);
  return filter === undefined ? matchAll : parseFilter(filter.bytes, filter.start);
}

/** There is one index: a hint names it, or asks for a plain scan, which is in the same order here. */
export function checkHint(command: CommandReader): void {
  const hint = command.value('hint');
  if (hint === undefined) {
    return;
  }
  const names =
    hint.type === BsonType.string
      ? [readString(hint)]
      : hint.type === BsonType.object
        ? Array.from(readFields(hint.bytes, hint.start), (field) => field.name)
        : [];
  if (names.length > 1 || names.some((name) => !['_id_', '_id', '$natural'].includes(name))) {
    throw new CommandError(
      ErrorCode.badValue,
      'error processing query: planner returned error :: caused by :: hint provided does not correspond to an existing index',
    );
  }
}

/** Strings compare by their bytes, which is what `{locale: 'simple'}` asks for. */
export function checkCollation(command: CommandReader): void {
  const collation = command.document('collation');
  if (collation !== undefined && collation.string('locale') !== 'simple') {
    throw notImplemented('collations');
  }
}

/** `cursor.batchSize`. */
export function readBatchSize(command: CommandReader, defaultDocuments: number): number {
  const cursor = command.document('cursor');
  cursor?.refuseUnknown(['batchSize']);
  return cursor?.count('batchSize') ?? defaultDocuments;
}
