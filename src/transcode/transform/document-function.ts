/** Calls a transform with each document, and converts the results to BSON. */

import { inspect, types } from 'node:util';
import {
  Binary,
  BSONRegExp,
  BSONSymbol,
  Code,
  Decimal128,
  Double,
  Int32,
  Long,
  MaxKey,
  MinKey,
  ObjectId,
  Timestamp,
  UUID,
  type Document,
} from 'bson';
import { BsonWriter } from '../../bson/bson-writer.ts';
import { ElementCursor, guessName, wrapBytes, type BsonBytes } from '../../bson/cursor.ts';
import { DocumentError } from '../../bson/document-error.ts';
import { nameOfBytes } from '../../bson/document-id.ts';
import { bsonTypes } from '../../bson/types.ts';
import type { Plan } from '../plan.ts';
import type { BsonClasses, MigrationTransform, TransformContext } from './migration-transform.ts';
import { readDocument } from './read-document.ts';
import { showStack } from './transform-file.ts';
import { isDocument, ResultError, writeListed } from './write-document.ts';

const bson: BsonClasses = Object.freeze({
  ...{ Binary, BSONRegExp, BSONSymbol, Code, Decimal128, Double, Int32, Long, MaxKey, MinKey, ObjectId },
  ...{ Timestamp, UUID },
});

/** Maximum size of the results of a document, which are loaded in one transaction. */
const maxResultBytes = 64_000_000;

/** Lines of a stack trace that are shown. */
const maxStackLines = 6;

export class DocumentFunction {
  readonly #transform: MigrationTransform;
  readonly #context: TransformContext;
  /** A document may become at most one, with the same `_id`. */
  readonly #keepsId: boolean;
  readonly #scratch = new BsonWriter();

  constructor(transform: MigrationTransform, { collection, table, transform: file }: Plan) {
    this.#transform = transform;
    this.#context = Object.freeze({ collection, table, bson });
    this.#keepsId = file?.keepsId === true;
  }

  /**
   * Writes the results of the document at `start`, each as an element of an array.
   * @returns the number of results
   * @throws DocumentError, BsonError if it becomes a dead letter; then nothing is written
   */
  write(source: BsonBytes, start: number, end: number, writer: BsonWriter): number {
    const results = this.#call(readDocument(source, start, end));
    if (results.length === 0) return 0;
    const id = findId(source, start, end);
    const before = writer.position;
    try {
      this.#writeAll(results, id, writer);
    } catch (error) {
      writer.position = before;
      throw error;
    }
    return results.length;
  }

  #call(document: Document): readonly Readonly<Record<string, unknown>>[] {
    const transform = this.#transform;
    let returned: unknown;
    try {
      returned = transform(document, this.#context);
    } catch (error) {
      throw new DocumentError('transform_error', describeThrown(error));
    }
    if (returned === null) return [];
    const results: readonly unknown[] = Array.isArray(returned) ? returned : [returned];
    for (const [index, result] of results.entries()) {
      const mistake = findMistake(result);
      if (mistake === null) continue;
      const where = Array.isArray(returned) ? `an array whose element ${index} is ` : '';
      throw new DocumentError('transform_result', `the transform returned ${where}${mistake}`);
    }
    return results as readonly Readonly<Record<string, unknown>>[];
  }

  #writeAll(
    results: readonly Readonly<Record<string, unknown>>[],
    id: Buffer | null,
    writer: BsonWriter,
  ): void {
    if (this.#keepsId && results.length > 1) {
      throw idError(`${results.length} documents, but at most one is allowed while changes are followed`);
    }
    const ids = new Set<string>();
    const begun = writer.position;
    for (const result of results) {
      if (writer.position - begun > maxResultBytes) {
        throw new DocumentError(
          'transform_result',
          `the transform returned more than ${maxResultBytes / 1_000_000} MB`,
        );
      }
      const scratch = this.#scratch;
      writeResult(result, scratch);
      const own = restoreId(scratch, id);
      if (this.#keepsId && (own === null || id?.equals(own) !== true)) {
        throw idError('a document with another _id, which is not allowed while changes are followed');
      }
      if (own !== null && results.length > 1) {
        const name = nameOfBytes(own);
        if (ids.has(name)) throw idError('two documents with the same _id');
        ids.add(name);
      }
      writer.writeRange(scratch.bytes, 0, scratch.position);
    }
  }
}

function writeResult(result: Readonly<Record<string, unknown>>, scratch: BsonWriter): void {
  scratch.reset();
  try {
    writeListed(result, scratch);
  } catch (error) {
    if (!(error instanceof ResultError)) throw error;
    throw new DocumentError('transform_result', `of what the transform returned, ${error.message}`);
  }
}

/** The type and the empty name of an element. */
const listedPrefixBytes = 2;

/**
 * JavaScript objects list integer keys first. If that is the only change to an `_id`, its original order is restored, since to
 * MongoDB it would be a different `_id`.
 * @param result of the transform
 * @param id the element of the original document
 * @returns the element of the result
 */
function restoreId(result: BsonWriter, id: Buffer | null): Buffer | null {
  const own = findId(result, listedPrefixBytes, result.position);
  if (own === null || id?.length !== own.length || own.equals(id)) return own;
  if (own[0] === bsonTypes.object && rewriteId(id)?.equals(own) === true) id.copy(own);
  return own;
}

function rewriteId(id: Buffer): Buffer | null {
  const before = Buffer.alloc(id.byteLength + 5);
  before.writeInt32LE(before.byteLength);
  id.copy(before, 4);
  const writer = new BsonWriter();
  writeListed(readDocument(wrapBytes(before), 0, before.byteLength), writer);
  return findId(writer, listedPrefixBytes, writer.position);
}

const idGuess = guessName('_id');

/** The `_id` element, with its type and name; null if there is none. */
function findId({ bytes, view }: BsonBytes, start: number, end: number): Buffer | null {
  const cursor = new ElementCursor();
  cursor.open(view, start, end);
  while (cursor.next(idGuess)) {
    if (cursor.isGuessed) return bytes.subarray(cursor.nameStart - 1, cursor.valueEnd);
  }
  return null;
}

function idError(what: string): DocumentError {
  return new DocumentError('transform_id', `the transform returned ${what}`);
}

/** The problem with a result, if any. */
function findMistake(result: unknown): string | null {
  if (isDocument(result)) return null;
  if (types.isPromise(result)) {
    // An unhandled rejection would end the process.
    result.catch(() => undefined);
    return 'a promise; a transform must not be asynchronous';
  }
  if (result === undefined) return 'nothing (undefined); to drop the document, return null';
  if (result === null) return 'null; to drop the document, return null alone or an empty array';
  if (typeof result !== 'object') return `a ${typeof result}`;
  return Array.isArray(result) ? 'an array' : `a ${result.constructor.name}, not a document`;
}

function describeThrown(thrown: unknown): string {
  if (!(thrown instanceof Error)) return `the transform threw ${inspect(thrown, { depth: 1 })}`;
  const lines = showStack(thrown).split('\n');
  const own = lines.findIndex((line) => /#call|DocumentFunction/.test(line));
  return (own < 0 ? lines : lines.slice(0, own)).slice(0, maxStackLines).join('\n');
}
