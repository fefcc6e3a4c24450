/**
 * A record of the journal: a head of fixed length, the places that it is about as BSON, the operation's bytes, and, of
 * an update, the whole document after it. Numbers are little-endian.
 */
import { Binary, deserialize, serialize } from 'bson';
import type { OperationKind, OplogEntry } from './entry.ts';
import type { Place } from '../storage/place.ts';

/** In the order of the numbers that stand for them in the files. */
const kinds: readonly (OperationKind | 'checkpoint')[] = [
  ...(['checkpoint', 'noop', 'insert', 'update', 'replace', 'delete'] as const),
  ...(['create', 'createIndexes', 'dropIndexes', 'modify', 'rename', 'drop', 'dropDatabase'] as const),
];

/** The offsets in the head. */
const Head = { length: 0, kind: 4, time: 5, wall: 13, count: 21, partLengths: 25, bytes: 49 } as const;
/** The place, the target of a rename, the operation, the document after it, and the images before and after. */
const partCount = 6;

/** An operation as the journal has it. */
export interface JournaledEntry {
  readonly entry: OplogEntry;
  /** Of an update: the whole document. */
  readonly after: Buffer | undefined;
}

/** The pieces to write one after another. */
export function encodeRecord(entry: OplogEntry, after: Buffer | undefined): Buffer[] {
  const { time, count, wallMs, kind, place, to, bytes, start, length, images } = entry;
  return frame(kind, { time, count, wallMs }, [
    encodePlace(place),
    to && encodePlace(to),
    bytes.subarray(start, start + length),
    after,
    images?.before,
    images?.after,
  ]);
}

/** Marks that all before it is in the collections' files. */
export const checkpointRecord: Buffer = Buffer.concat(
  frame('checkpoint', { time: 0, count: 0, wallMs: 0 }, []),
);

/** Passes the records to the callback; returns where they end, which is before a truncated last one. */
export function readRecords(bytes: Buffer, take: (record: JournaledEntry | 'checkpoint') => void): number {
  const places = new Map<string, Place>();
  let offset = 0;
  while (offset + Head.bytes <= bytes.length) {
    const end = offset + bytes.readUInt32LE(offset + Head.length);
    if (end < offset + Head.bytes || end > bytes.length) {
      break;
    }
    const kind = kinds[bytes[offset + Head.kind] ?? 0] ?? 'noop';
    take(kind === 'checkpoint' ? 'checkpoint' : readEntry(kind, bytes, offset, places));
    offset = end;
  }
  return offset;
}

function readEntry(
  kind: OperationKind,
  bytes: Buffer,
  offset: number,
  places: Map<string, Place>,
): JournaledEntry {
  let start = offset + Head.bytes;
  const parts = Array.from({ length: partCount }, (_, index) => {
    const length = bytes.readUInt32LE(offset + Head.partLengths + 4 * index);
    const part = { start, end: start + length };
    start += length;
    return part;
  });
  const [place, to, operation, after, imageBefore, imageAfter] = parts.map((part) =>
    part.start === part.end ? undefined : part,
  );
  const cut = (part: { start: number; end: number } | undefined): Buffer | undefined =>
    part && bytes.subarray(part.start, part.end);
  const before = cut(imageBefore);
  const entry = {
    time: bytes.readDoubleLE(offset + Head.time),
    count: bytes.readUInt32LE(offset + Head.count),
    wallMs: bytes.readDoubleLE(offset + Head.wall),
    kind,
    place: readPlace(cut(place) ?? empty, places),
    bytes,
    start: operation?.start ?? start,
    length: operation === undefined ? 0 : operation.end - operation.start,
    images: before && { before, after: cut(imageAfter) },
    to: to && readPlace(bytes.subarray(to.start, to.end), places),
  };
  return { entry, after: cut(after) };
}

function frame(
  kind: OperationKind | 'checkpoint',
  { time, count, wallMs }: Pick<OplogEntry, 'time' | 'count' | 'wallMs'>,
  parts: readonly (Buffer | undefined)[],
): Buffer[] {
  const head = Buffer.alloc(Head.bytes);
  let length = Head.bytes;
  for (const [index, part] of parts.entries()) {
    head.writeUInt32LE(part?.length ?? 0, Head.partLengths + 4 * index);
    length += part?.length ?? 0;
  }
  head.writeUInt32LE(length, Head.length);
  head[Head.kind] = kinds.indexOf(kind);
  head.writeDoubleLE(time, Head.time);
  head.writeDoubleLE(wallMs, Head.wall);
  head.writeUInt32LE(count, Head.count);
  return [head, ...parts.filter((part) => part !== undefined && part.length > 0)] as Buffer[];
}

const encodedPlaces = new WeakMap<Place, Buffer>();

function encodePlace(place: Place): Buffer {
  let encoded = encodedPlaces.get(place);
  if (encoded === undefined) {
    const { database, collection, uuid } = place;
    const id = uuid === undefined ? {} : { uuid: new Binary(uuid, Binary.SUBTYPE_UUID) };
    encoded = Buffer.from(serialize({ database, collection, ...id }));
    encodedPlaces.set(place, encoded);
  }
  return encoded;
}

/** One object for all entries of a collection. */
function readPlace(encoded: Buffer, places: Map<string, Place>): Place {
  const key = encoded.toString('latin1');
  let place = places.get(key);
  if (place === undefined) {
    const { database, collection, uuid } = deserialize(encoded) as {
      database: string;
      collection: string;
      uuid?: Binary;
    };
    place = { database, collection, uuid: uuid && Buffer.from(uuid.buffer) };
    places.set(key, place);
  }
  return place;
}

const empty = Buffer.from(serialize({}));
