/** Commands that write documents: insert, delete. */
import { deserialize, EJSON } from 'bson';
import { BsonType, checkDocument, wrapValue, readInt32, findField } from '../../../match/bson-view.ts';
import type { Address } from '../document-heap.ts';
import { removeDocuments } from '../catalog.ts';
import type { StoredCollection } from '../catalog.ts';
import { CommandReader } from '../command-reader.ts';
import { QueryError } from '../../../match/errors.ts';
import { CommandError, ErrorCode } from '../errors.ts';
import { idTypeOffset, idValueOffset } from '../id-index.ts';
import { splitSequence } from '../message.ts';
import type { Reply } from '../message.ts';
import { findMatches } from '../matches.ts';
import { RunList } from '../runs.ts';
import { prepareDocument } from '../stored-document.ts';
import type { PreparedDocument } from '../stored-document.ts';
import { checkCollation, checkHint, readFilter } from './arguments.ts';
import { namespaceOf, refuseView, succeed } from './command.ts';
import type { CommandContext } from './command.ts';

interface WriteError {
  readonly index: number;
  readonly code: number;
  readonly errmsg: string;
  readonly keyPattern?: unknown;
  readonly keyValue?: unknown;
}

export function insert(context: CommandContext): Reply {
  const { command, server, database, request } = context;
  command.refuseUnknown(['documents', 'ordered', 'bypassDocumentValidation', 'bypassEmptyTsReplacement']);
  const isOrdered = command.boolean('ordered') ?? true;
  const isEmptyTsKept = command.boolean('bypassEmptyTsReplacement') ?? false;
  const namespace = namespaceOf(context);
  const stored = server.catalog.create(database, command.collection());
  refuseView(context, stored);
  const writeErrors: WriteError[] = [];
  const inserted = new RunList();
  let index = -1;
  for (const start of listDocuments(context, 'documents')) {
    index++;
    try {
      const prepared = prepareDocument(
        request.bytes,
        start,
        start + readInt32(request.bytes, start),
        isEmptyTsKept ? undefined : nextTimestamp,
      );
      if (!stored.documents.insert(prepared.bytes, prepared.start, prepared.end)) {
        writeErrors.push(duplicateKey(index, namespace, prepared));
      } else {
        inserted.add(prepared.bytes, prepared.start, prepared.end - prepared.start);
      }
    } catch (error) {
      if (!(error instanceof QueryError)) {
        throw error;
      }
      writeErrors.push({ index, code: error.code, errmsg: error.message });
    }
    if (isOrdered && writeErrors.length > 0) {
      break;
    }
  }
  if (index === -1) {
    throw new CommandError(
      ErrorCode.invalidLength,
      'Write batch sizes must be between 1 and 100000. Got 0 operations.',
    );
  }
  saveInserted(stored, inserted);
  return succeed({ n: inserted.count, ...(writeErrors.length > 0 ? { writeErrors } : {}) });
}

let lastTimestamp = 0n;

/** Seconds and a counter within them; each is later than the one before. */
function nextTimestamp(): bigint {
  const now = BigInt(Math.floor(Date.now() / 1000)) << 32n;
  lastTimestamp = lastTimestamp >= now ? lastTimestamp + 1n : now + 1n;
  return lastTimestamp;
}

/** The command `delete`. */
export function remove(context: CommandContext): Reply {
  const { command, server, database, request } = context;
  command.refuseUnknown(['deletes', 'ordered']);
  const stored = server.catalog.get(database, command.collection());
  if (stored !== undefined) {
    refuseView(context, stored);
  }
  let n = 0;
  for (const start of listDocuments(context, 'deletes')) {
    checkDocument(request.bytes, start, start + readInt32(request.bytes, start));
    const statement = new CommandReader(request.bytes, start, 'delete.deletes');
    statement.refuseUnknown(['q', 'limit', 'hint', 'collation']);
    checkHint(statement);
    checkCollation(statement);
    statement.required('q', statement.rawDocument('q'));
    const limit = statement.required('limit', statement.count('limit'));
    if (limit > 1) {
      throw new CommandError(
        ErrorCode.failedToParse,
        `The limit field in delete objects must be 0 or 1. Got ${limit}`,
      );
    }
    const filter = readFilter(statement, 'q');
    if (stored === undefined) {
      continue;
    }
    const addresses = findMatches(stored.documents, filter, limit === 1 ? 1 : Infinity);
    if (addresses.length > 0) {
      removeDocuments(stored, addresses);
      n += addresses.length;
    }
  }
  return succeed({ n });
}

/** Where the documents start, which come as a sequence of their own or as an array in the command. */
function* listDocuments(context: CommandContext, name: string): Generator<number, void, undefined> {
  const { command, request } = context;
  const sequence = request.sequences.get(name);
  if (sequence !== undefined) {
    yield* splitSequence(request.bytes, sequence);
    return;
  }
  for (const element of command.required(name, command.array(name))) {
    if (element.type !== BsonType.object) {
      throw new CommandError(
        ErrorCode.typeMismatch,
        `BSON field '${command.name}.${name}.${element.name}' is the wrong type, expected type 'object'`,
      );
    }
    yield element.start;
  }
}

/** Writes the new documents to the file; when that fails, takes them out of memory again. */
function saveInserted(stored: StoredCollection, inserted: RunList): void {
  try {
    stored.file?.append(inserted);
  } catch (error) {
    const addresses: Address[] = [];
    for (const { bytes, start, length } of inserted.runs) {
      for (let offset = start; offset < start + length; offset += readInt32(bytes, offset)) {
        const address = stored.documents.find(
          bytes[offset + idTypeOffset] ?? 0,
          bytes,
          offset + idValueOffset,
        );
        if (address !== undefined) {
          addresses.push(address);
        }
      }
    }
    stored.documents.remove(addresses);
    throw error;
  }
}

function duplicateKey(index: number, namespace: string, { bytes, start }: PreparedDocument): WriteError {
  const id = findField(bytes, start, idName);
  const wrapped = id === undefined ? {} : deserialize(wrapValue(id), { promoteValues: false });
  const value: unknown = wrapped[''];
  return {
    index,
    code: ErrorCode.duplicateKey,
    errmsg: `E11000 duplicate key error collection: ${namespace} index: _id_ dup key: { _id: ${EJSON.stringify(value)} }`,
    keyPattern: { _id: 1 },
    keyValue: { _id: value },
  };
}

const idName = Buffer.from('_id');
