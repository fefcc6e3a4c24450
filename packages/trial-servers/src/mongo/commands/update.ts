/** The commands update and findAndModify. */
import { deserialize, ObjectId } from 'bson';
import type { Document } from 'bson';
import { findValue, readInt32 } from '../../../../../src/bson/raw-value.ts';
import { guessName } from '../../../../../src/bson/cursor.ts';
import { bsonTypes } from '../../../../../src/bson/types.ts';
import { decodeDocument, wrapValue } from '../decode.ts';
import { checkDocument } from '../checked-bson.ts';
import type { StoredCollection } from '../storage/stored-collection.ts';
import type { DocumentRef } from '../storage/collection.ts';
import { CommandReader } from '../command-reader.ts';
import { CommandError, ErrorCode, notImplemented } from '../errors.ts';
import { findMatches, scanMatches } from '../query/matches.ts';
import type { Reply } from '../wire/message.ts';
import { parseProjection } from '../query/projection.ts';
import { RunList } from '../storage/runs.ts';
import { parseSort } from '../query/sort.ts';
import { isIdFirst, prepareDocument } from '../storage/stored-document.ts';
import { parseUpdate } from '../update/update.ts';
import type { Update } from '../update/update.ts';
import { readEqualities } from '../update/upsert.ts';
import { checkHint, readSelection, readTextOrder } from './arguments.ts';
import { namespaceOf, refuseView, succeed } from './command.ts';
import type { CommandContext } from './command.ts';
import { duplicateKey, listDocuments, openCollection, toWriteError } from './write.ts';
import type { WriteError } from './write.ts';

/** The result of a statement. */
interface Outcome {
  readonly n: number;
  readonly nModified: number;
  /** The `_id` of a document that was inserted. */
  readonly upserted?: { readonly _id: unknown };
}

const none: Outcome = { n: 0, nModified: 0 };

export function update(context: CommandContext): Reply {
  const { command, request, statements } = context;
  command.refuseUnknown(['updates', 'ordered', 'bypassDocumentValidation', 'let']);
  if (command.has('let')) {
    throw notImplemented('the option let of update');
  }
  const isOrdered = command.boolean('ordered') ?? true;
  const existing = context.server.catalog.get(context.database, command.collection());
  if (existing !== undefined) {
    refuseView(context, existing);
  }
  const writeErrors: WriteError[] = [];
  const retriedStmtIds: number[] = [];
  const upserted: { index: number; _id: unknown }[] = [];
  let [index, n, nModified] = [-1, 0, 0];
  for (const start of listDocuments(context, 'updates')) {
    index++;
    const before = statements?.find(index) as Outcome | undefined;
    try {
      checkDocument(request.bytes, start, start + readInt32(request.bytes, start));
      const outcome =
        before ?? runStatement(context, new CommandReader(request.bytes, start, 'update.updates'), index);
      if (before === undefined) {
        statements?.add(index, outcome);
      } else {
        retriedStmtIds.push(index);
      }
      n += outcome.n;
      nModified += outcome.nModified;
      if (outcome.upserted !== undefined) {
        upserted.push({ index, ...outcome.upserted });
      }
    } catch (error) {
      writeErrors.push(error instanceof DuplicateError ? error.writeError : toWriteError(index, error));
      if (isOrdered) {
        break;
      }
    }
  }
  return succeed({
    n,
    nModified,
    ...(upserted.length > 0 ? { upserted } : {}),
    ...(retriedStmtIds.length > 0 ? { retriedStmtIds } : {}),
    ...(writeErrors.length > 0 ? { writeErrors } : {}),
  });
}

function runStatement(context: CommandContext, statement: CommandReader, index: number): Outcome {
  statement.refuseUnknown(['q', 'u', 'c', 'multi', 'upsert', 'hint', 'collation', 'arrayFilters']);
  for (const option of ['c', 'arrayFilters']) {
    if (statement.has(option)) {
      throw notImplemented(`the option ${option} of update`);
    }
  }
  checkHint(statement);
  const query = statement.required('q', statement.rawDocument('q'));
  const { server, database, command } = context;
  const existing = server.catalog.get(database, command.collection());
  const { filter, order } = readSelection(statement, 'q', existing?.documents);
  const change = parseUpdate(statement.required('u', statement.value('u')), order);
  const isMulti = statement.boolean('multi') ?? false;
  if (isMulti && !change.isPartial) {
    throw new CommandError(
      ErrorCode.failedToParse,
      'multi update is not supported for replacement-style update',
    );
  }
  if (isMulti && context.statements !== undefined) {
    throw new CommandError(
      ErrorCode.invalidOptions,
      'Cannot use (or request) retryable writes with multi=true',
    );
  }
  const isUpsert = statement.boolean('upsert') ?? false;
  const stored = findStored(context, isUpsert);
  if (stored === undefined) {
    return none;
  }
  const { replicaSetFaults, writes } = server;
  return replicaSetFaults.write(stored, () => {
    const addresses = findMatches(stored.documents, filter, isMulti ? Infinity : 1);
    if (addresses.length === 0 && isUpsert) {
      const document = change.create(readEqualities(query));
      const { id } = insertNew(context, stored, document, index);
      return { n: 1, nModified: 0, upserted: { _id: id } };
    }
    const replacements = addresses.flatMap((address) => {
      const before = stored.documents.refOf(address);
      const updated = change.apply(before);
      return updated === undefined ? [] : [{ before, updated }];
    });
    if (replacements.length > 0) {
      writes.replace(stored, replacements);
    }
    return { n: addresses.length, nModified: replacements.length };
  });
}

/** Without upsert, no document is inserted. */
function findStored(context: CommandContext, isUpsert: boolean): StoredCollection | undefined {
  const { server, database, command } = context;
  return isUpsert ? openCollection(context) : server.catalog.get(database, command.collection());
}

/** An upsert that meets the `_id` of another document. */
class DuplicateError extends CommandError {
  readonly writeError: WriteError;

  constructor(writeError: WriteError) {
    super(writeError.code, writeError.errmsg);
    this.writeError = writeError;
  }
}

function insertNew(
  context: CommandContext,
  stored: StoredCollection,
  document: Buffer,
  index: number,
): { id: unknown; document: DocumentRef } {
  const { bytes, start, end } = prepareDocument(document, 0, document.length);
  if (!stored.documents.insert(bytes, start, end)) {
    throw new DuplicateError(duplicateKey(index, namespaceOf(context), { bytes, start }));
  }
  const inserted = new RunList();
  inserted.add(bytes, start, end - start);
  context.server.writes.insert(stored, inserted);
  return { id: readId({ bytes, start }), document: { bytes, start } };
}

export function findAndModify(context: CommandContext): Reply {
  const { command, statements } = context;
  command.refuseUnknown([
    ...['query', 'sort', 'remove', 'update', 'new', 'fields', 'upsert', 'bypassDocumentValidation'],
    ...['collation', 'arrayFilters', 'hint', 'let'],
  ]);
  for (const option of ['arrayFilters', 'let']) {
    if (command.has(option)) {
      throw notImplemented(`the option ${option} of findAndModify`);
    }
  }
  checkHint(command);
  const before = statements?.find(0);
  if (before !== undefined) {
    return succeed({ ...before, retriedStmtId: 0 });
  }
  const isRemove = command.boolean('remove') ?? false;
  const updateField = command.value('update');
  if (isRemove === (updateField !== undefined)) {
    throw new CommandError(
      ErrorCode.failedToParse,
      isRemove
        ? 'Cannot specify both an update and remove=true'
        : 'Either an update or remove=true must be specified',
    );
  }
  const isUpsert = command.boolean('upsert') ?? false;
  const existing = context.server.catalog.get(context.database, command.collection());
  const change = updateField && parseUpdate(updateField, readTextOrder(command, existing?.documents));
  const stored = findStored(context, isUpsert);
  const result =
    stored === undefined
      ? { lastErrorObject: { n: 0, ...(isRemove ? {} : { updatedExisting: false }) }, value: null }
      : context.server.replicaSetFaults.write(stored, () => modify(context, stored, change, isUpsert));
  statements?.add(0, result);
  return succeed(result);
}

function modify(
  context: CommandContext,
  stored: StoredCollection,
  change: Update | undefined,
  isUpsert: boolean,
): Document {
  const { command, server } = context;
  const isNewWanted = command.boolean('new') ?? false;
  const project = readProjection(command);
  const found = findFirst(command, stored);
  if (change === undefined) {
    const value = found && project(found);
    if (found !== undefined) {
      server.writes.remove(stored, addressOf(stored, found));
    }
    return { lastErrorObject: { n: found === undefined ? 0 : 1 }, value: value ?? null };
  }
  if (found === undefined) {
    if (!isUpsert) {
      return { lastErrorObject: { n: 0, updatedExisting: false }, value: null };
    }
    const query = command.rawDocument('query') ?? emptyQuery;
    const { id, document } = insertNew(context, stored, change.create(readEqualities(query)), 0);
    return {
      lastErrorObject: { n: 1, updatedExisting: false, upserted: id },
      value: isNewWanted ? project(document) : null,
    };
  }
  const updated = change.apply(found);
  const value = project(isNewWanted && updated !== undefined ? { bytes: updated.after, start: 0 } : found);
  if (updated !== undefined) {
    server.writes.replace(stored, [{ before: found, updated }]);
  }
  return { lastErrorObject: { n: 1, updatedExisting: true }, value };
}

function findFirst(command: CommandReader, stored: StoredCollection): DocumentRef | undefined {
  const { filter, order } = readSelection(command, 'query', stored.documents);
  const sort = command.rawDocument('sort');
  if (sort !== undefined) {
    return parseSort(sort, order).sortDocuments([...scanMatches(stored.documents, filter)])[0];
  }
  const [first] = findMatches(stored.documents, filter, 1);
  return first === undefined ? undefined : stored.documents.refOf(first);
}

function addressOf(stored: StoredCollection, { bytes, start }: DocumentRef): number[] {
  const id = findValue(bytes, start, idName);
  const address = id && stored.documents.find(id.type, id.bytes, id.start);
  return address === undefined ? [] : [address];
}

function readProjection(command: CommandReader): (document: DocumentRef) => unknown {
  const spec = command.rawDocument('fields');
  const projection = spec && parseProjection(spec);
  return ({ bytes, start }) => {
    const projected = projection?.(bytes, start) ?? bytes.subarray(start, start + readInt32(bytes, start));
    return decodeDocument({ type: bsonTypes.object, bytes: projected, start: 0, end: projected.length });
  };
}

function readId({ bytes, start }: DocumentRef): unknown {
  const id = isIdFirst(bytes, start) ? findValue(bytes, start, idName) : undefined;
  return id === undefined ? new ObjectId() : deserialize(wrapValue(id), { promoteValues: false })[''];
}

const idName = guessName('_id');
const emptyQuery = { type: bsonTypes.object, bytes: Buffer.from([5, 0, 0, 0, 0]), start: 0, end: 5 };
