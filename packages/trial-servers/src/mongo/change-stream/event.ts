/** Writes the events of a change stream as BSON, out of the oplog's bytes. */
import { Binary, serialize } from 'bson';
import { readInt32 } from '../../../../../src/bson/raw-value.ts';
import { bsonTypes } from '../../../../../src/bson/types.ts';
import { CommandError, ErrorCode } from '../errors.ts';
import { writeTimestamp } from '../oplog/cluster-time.ts';
import type { ClusterTime } from '../oplog/cluster-time.ts';
import type { OplogEntry } from '../oplog/entry.ts';
import type { Place } from '../storage/place.ts';
import type { DocumentRef } from '../storage/collection.ts';
import { readIdDocument } from '../write-log.ts';
import type { StreamOptions } from './options.ts';
import { encodeEventTail, encodeEventToken } from './token.ts';

/** The current document with this key; undefined when it was deleted. */
export type LookUp = (place: Place, key: DocumentRef) => DocumentRef | undefined;

/** Space for consecutive events; an event that needs more gets a buffer of its own. */
const slabBytes = 256 * 1024;
/** An upper bound of the bytes of an event besides names and documents. */
const frameBytes = 1024;

export class EventWriter {
  readonly #options: StreamOptions;
  readonly #lookUp: LookUp;
  readonly #shapes = new Map<Place, Map<string, Shape>>();
  #slab: Buffer = Buffer.alloc(0);
  #offset = 0;

  constructor(options: StreamOptions, lookUp: LookUp) {
    this.#options = options;
    this.#lookUp = lookUp;
  }

  /** The token of the event that was written last. */
  token = '';

  /** The event of one operation of the entry; `document` is what the entry has at that operation. */
  write(entry: OplogEntry, time: ClusterTime, document: DocumentRef): DocumentRef {
    const { kind, place, to, wallMs } = entry;
    const shape = this.#shapeOf(place, kind);
    const lookedUp = this.#findPostImage(entry, document);
    const before = this.#findPreImage(entry);
    const isWhole = kind === 'insert' || kind === 'replace';
    const key = isWhole ? wholeOf(readIdDocument(document)) : document;
    // An insert's entry has other documents, too.
    const ownBytes = isWhole ? sizeOf(document) + sizeOf(key) : entry.length;
    const { tail, namespace } = shape;
    const bytes = this.#reserve(
      frameBytes + tail.length + namespace.length + ownBytes + sizeOf(lookedUp) + (before?.length ?? 0),
    );
    const start = this.#offset;
    let offset = this.#begin(bytes, shape, time, wallMs);
    switch (kind) {
      case 'insert':
      case 'replace':
        offset = putDocument(bytes, offset, fields.fullDocument, document);
        offset = put(bytes, offset, namespace);
        offset = putDocument(bytes, offset, fields.documentKey, key);
        break;
      case 'update': {
        offset = put(bytes, offset, namespace);
        const description = {
          bytes: document.bytes,
          start: document.start + readInt32(document.bytes, document.start),
        };
        offset = putDocument(bytes, offset, fields.documentKey, key);
        offset = this.#putDescription(bytes, offset, description);
        if (lookedUp !== undefined) {
          offset = putOptional(bytes, offset, fields.fullDocument, lookedUp ?? undefined);
        }
        break;
      }
      case 'delete':
        offset = put(bytes, offset, namespace);
        offset = putDocument(bytes, offset, fields.documentKey, key);
        break;
      case 'create':
      case 'createIndexes':
      case 'dropIndexes':
      case 'modify':
      case 'rename':
      case 'drop':
      case 'dropDatabase':
      case 'noop':
        offset = put(bytes, offset, namespace);
        if (to !== undefined) {
          offset = put(bytes, offset, encodeNamespace('to', to));
        }
        if (this.#options.showExpandedEvents && entry.length > 5) {
          // The oplog entry has the event's own fields.
          offset += entry.bytes.copy(bytes, offset, entry.start + 4, entry.start + entry.length - 1);
        }
    }
    if (before !== undefined) {
      offset = putOptional(
        bytes,
        offset,
        fields.fullDocumentBeforeChange,
        before === null ? undefined : wholeOf(before),
      );
    }
    return this.#end(bytes, start, offset);
  }

  /** The event that ends a stream whose collection or database was dropped. */
  writeInvalidate({ place, wallMs }: OplogEntry, time: ClusterTime): DocumentRef {
    const shape = this.#shapeOf(place, 'invalidate');
    const bytes = this.#reserve(frameBytes + shape.tail.length);
    const start = this.#offset;
    return this.#end(bytes, start, this.#begin(bytes, shape, time, wallMs));
  }

  /** Removes the event that was written last, which a stage has filtered out. */
  discard({ bytes, start }: DocumentRef): void {
    if (bytes === this.#slab) {
      this.#offset = start;
    }
  }

  /** `_id`, `operationType`, `clusterTime`, `wallTime`; the length is written at the end. */
  #begin(bytes: Buffer, shape: Shape, time: ClusterTime, wallMs: number): number {
    this.token = encodeEventToken(time, shape.tail);
    let offset = this.#offset + 4;
    offset = put(bytes, offset, fields.id);
    const tokenStart = offset;
    offset += 4;
    offset = put(bytes, offset, fields.data);
    offset = bytes.writeInt32LE(this.token.length + 1, offset);
    offset += bytes.write(this.token, offset, 'latin1');
    bytes[offset++] = 0;
    bytes[offset++] = 0;
    bytes.writeInt32LE(offset - tokenStart, tokenStart);
    offset = put(bytes, offset, shape.operationType);
    offset = put(bytes, offset, fields.clusterTime);
    offset = writeTimestamp(bytes, offset, time);
    offset = put(bytes, offset, shape.collectionUuid);
    offset = put(bytes, offset, fields.wallTime);
    return bytes.writeBigInt64LE(BigInt(wallMs), offset);
  }

  #end(bytes: Buffer, start: number, offset: number): DocumentRef {
    bytes[offset] = 0;
    this.#offset = offset + 1;
    bytes.writeInt32LE(this.#offset - start, start);
    return { bytes, start };
  }

  /** Ambiguous paths are listed only on request: they come last. */
  #putDescription(bytes: Buffer, offset: number, description: DocumentRef): number {
    const whole = description.bytes;
    const ambiguous = this.#options.showExpandedEvents ? undefined : findAmbiguous(description);
    if (ambiguous === undefined) {
      return putDocument(bytes, offset, fields.updateDescription, description);
    }
    const start = put(bytes, offset, fields.updateDescription);
    let position = start;
    position += whole.copy(bytes, position, description.start, ambiguous);
    bytes[position++] = 0;
    bytes.writeInt32LE(position - start, start);
    return position;
  }

  /** Undefined if nothing is to be reported, null if the document was deleted. */
  #findPostImage({ kind, place, images }: OplogEntry, key: DocumentRef): DocumentRef | null | undefined {
    const { fullDocument } = this.#options;
    if (kind !== 'update' || fullDocument === 'default') {
      return undefined;
    }
    if (fullDocument === 'updateLookup') {
      return this.#lookUp(place, key) ?? null;
    }
    if (images?.after !== undefined) {
      return wholeOf(images.after);
    }
    if (fullDocument === 'required') {
      throw new CommandError(
        ErrorCode.noMatchingDocument,
        'Change stream was configured to require a post-image for all update events, but the post-image was not found for event',
      );
    }
    return null;
  }

  #findPreImage({ kind, images }: OplogEntry): Buffer | null | undefined {
    const { fullDocumentBeforeChange } = this.#options;
    if (
      fullDocumentBeforeChange === 'off' ||
      (kind !== 'update' && kind !== 'replace' && kind !== 'delete')
    ) {
      return undefined;
    }
    if (images === undefined && fullDocumentBeforeChange === 'required') {
      throw new CommandError(
        ErrorCode.noMatchingDocument,
        'Change stream was configured to require a pre-image for all update, delete and replace events, but the pre-image was not found for event',
      );
    }
    return images?.before ?? null;
  }

  #reserve(length: number): Buffer {
    if (length > slabBytes) {
      this.#slab = Buffer.allocUnsafeSlow(length);
      this.#offset = 0;
    } else if (this.#offset + length > this.#slab.length) {
      this.#slab = Buffer.allocUnsafeSlow(slabBytes);
      this.#offset = 0;
    }
    return this.#slab;
  }

  #shapeOf(place: Place, operation: string): Shape {
    let ofPlace = this.#shapes.get(place);
    if (ofPlace === undefined) {
      // Entries of dropped collections would stay forever.
      if (this.#shapes.size > 1000) {
        this.#shapes.clear();
      }
      ofPlace = new Map();
      this.#shapes.set(place, ofPlace);
    }
    let shape = ofPlace.get(operation);
    if (shape === undefined) {
      const { uuid } = place;
      shape = {
        tail: encodeEventTail(operation, uuid),
        operationType: fieldOf({ operationType: operation }),
        namespace: encodeNamespace('ns', place),
        collectionUuid:
          this.#options.showExpandedEvents && uuid !== undefined && operation !== 'invalidate'
            ? fieldOf({ collectionUUID: new Binary(uuid, Binary.SUBTYPE_UUID) })
            : Buffer.alloc(0),
      };
      ofPlace.set(operation, shape);
    }
    return shape;
  }
}

/** What all events of one kind in one collection share: elements as they are in the event. */
interface Shape {
  /** Of the token, after its time. */
  readonly tail: string;
  readonly operationType: Buffer;
  readonly namespace: Buffer;
  readonly collectionUuid: Buffer;
}

/** An element without its value. */
function nameOf(type: number, name: string): Buffer {
  return Buffer.concat([Buffer.from([type]), Buffer.from(`${name}\0`)]);
}

/** The elements of a document. */
function fieldOf(document: Record<string, unknown>): Buffer {
  return Buffer.from(serialize(document).subarray(4, -1));
}

function encodeNamespace(name: string, { database, collection }: Place): Buffer {
  return fieldOf({ [name]: collection === '' ? { db: database } : { db: database, coll: collection } });
}

const fields = {
  id: nameOf(bsonTypes.object, '_id'),
  data: nameOf(bsonTypes.string, '_data'),
  clusterTime: nameOf(bsonTypes.timestamp, 'clusterTime'),
  wallTime: nameOf(bsonTypes.date, 'wallTime'),
  fullDocument: nameOf(bsonTypes.object, 'fullDocument'),
  fullDocumentBeforeChange: nameOf(bsonTypes.object, 'fullDocumentBeforeChange'),
  documentKey: nameOf(bsonTypes.object, 'documentKey'),
  updateDescription: nameOf(bsonTypes.object, 'updateDescription'),
} as const;

function put(bytes: Buffer, offset: number, piece: Buffer): number {
  return offset + piece.copy(bytes, offset);
}

function putDocument(bytes: Buffer, offset: number, name: Buffer, document: DocumentRef): number {
  const valueStart = put(bytes, offset, name);
  const end = document.start + readInt32(document.bytes, document.start);
  return valueStart + document.bytes.copy(bytes, valueStart, document.start, end);
}

/** A document, or null in its place. */
function putOptional(bytes: Buffer, offset: number, name: Buffer, document: DocumentRef | undefined): number {
  if (document !== undefined) {
    return putDocument(bytes, offset, name, document);
  }
  const end = put(bytes, offset, name);
  bytes[offset] = bsonTypes.null;
  return end;
}

const ambiguousName = nameOf(bsonTypes.object, 'disambiguatedPaths');

/** Where the element `disambiguatedPaths` begins, if there is one: behind the three others. */
function findAmbiguous({ bytes, start }: DocumentRef): number | undefined {
  const end = start + readInt32(bytes, start);
  let offset = start + 4;
  for (let count = 0; count < 3; count++) {
    const nameEnd = bytes.indexOf(0, offset + 1) + 1;
    offset = nameEnd + readInt32(bytes, nameEnd);
  }
  const isThere =
    offset < end - 1 &&
    bytes.compare(ambiguousName, 0, ambiguousName.length, offset, offset + ambiguousName.length) === 0;
  return isThere ? offset : undefined;
}

function wholeOf(bytes: Buffer): DocumentRef {
  return { bytes, start: 0 };
}

function sizeOf(document: DocumentRef | null | undefined): number {
  return document == null ? 0 : readInt32(document.bytes, document.start);
}
