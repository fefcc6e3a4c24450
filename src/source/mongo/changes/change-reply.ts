/** Parses the raw reply of a change stream: changes of documents, of collections, and the position after them. */

import type { Long } from 'mongodb';
import { SourceError } from '../../../common/errors.ts';
import { DocumentCursor, ElementCursor, findField, wrapBytes, type BsonBytes } from '../../../bson/cursor.ts';
import { copyId } from '../../../bson/document-id.ts';
import { bsonTypes } from '../../../bson/types.ts';
import {
  changeKinds,
  type ChangeKind,
  type CollectionChange,
  type DocumentChange,
  type StreamPosition,
} from '../../changes.ts';
import { clusterTimeOf, type ClusterTime } from '../../cluster-time.ts';
import { readBatch } from '../documents.ts';
import { cursorIdOf } from '../paging/paging.ts';

export interface RawChanges {
  readonly documents: DocumentChange[];
  readonly collections: CollectionChange[];
  readonly position: StreamPosition;
  /** Zero if the server has closed the stream: no more changes will come. */
  readonly cursorId: Long;
}

/** @param cursor the `cursor` of a reply @throws SourceError if the server's streams differ from MongoDB's */
export function readChanges(cursor: Uint8Array): RawChanges {
  const token = findField(cursor, 'postBatchResumeToken');
  if (token?.type !== bsonTypes.object) throw unusableStream('its replies have no position');
  const bytes = Buffer.from(cursor.subarray(token.valueStart, token.valueEnd));
  const documents: DocumentChange[] = [];
  const collections: CollectionChange[] = [];
  const batch = readBatch(cursor);
  const source = wrapBytes(batch);
  for (const events = new DocumentCursor(batch); events.next();) {
    const event = readEvent(source, events.start, events.end);
    if (event === null) continue;
    if ('id' in event) documents.push(event);
    else collections.push(event);
  }
  const position = { token: bytes, time: timeOfToken(bytes) };
  return { documents, collections, position, cursorId: cursorIdOf(cursor) };
}

/** `{_data: "82<seconds><increment>…"}`: https://github.com/mongodb/mongo/blob/master/src/mongo/db/pipeline/resume_token.h */
export function timeOfToken(token: Uint8Array): ClusterTime {
  const data = findField(token, '_data');
  const text =
    data?.type === bsonTypes.string
      ? Buffer.from(token).toString('latin1', data.valueStart + 4, data.valueEnd - 1)
      : '';
  const match = /^82([0-9a-f]{8})([0-9a-f]{8})/i.exec(text);
  if (match === null) throw unusableStream('its positions are not like those of MongoDB');
  const [, seconds = '', increment = ''] = match;
  return clusterTimeOf(parseInt(seconds, 16), parseInt(increment, 16));
}

export function unusableStream(what: string): SourceError {
  return new SourceError(`the change stream of this server cannot be followed: ${what}`, {
    code: 'CHANGE_STREAM_UNUSABLE',
    fix: 'follow a MongoDB replica set, or copy without --follow while nothing is written.',
  });
}

interface EventFields {
  kind: string;
  id: Uint8Array | null;
  collection: string | null;
  newName: string | null;
  time: ClusterTime | null;
}

const element = new ElementCursor();
const inner = new ElementCursor();

/** Null for an event that does not matter here, such as the creation of an index. */
function readEvent(source: BsonBytes, start: number, end: number): DocumentChange | CollectionChange | null {
  const fields: EventFields = { kind: '', id: null, collection: null, newName: null, time: null };
  element.open(source.view, start, end);
  while (element.next(null)) readField(source, fields);
  const { kind, id, collection, newName, time } = fields;
  if (time === null) throw unusableStream('its events have no time');
  if (isChangeKind(kind)) {
    if (id === null || collection === null) throw unusableStream('its events name no document');
    return { kind, collection, id, time };
  }
  switch (kind) {
    case 'drop':
    case 'rename':
      return { kind, collection, newName, time };
    case 'dropDatabase':
      return { kind, collection: null, newName, time };
    default:
      return null;
  }
}

function readField({ bytes, view }: BsonBytes, fields: EventFields): void {
  const { type, nameStart, nameEnd, valueStart, valueEnd } = element;
  switch (bytes.toString('latin1', nameStart, nameEnd)) {
    case 'operationType':
      fields.kind = bytes.toString('latin1', valueStart + 4, valueEnd - 1);
      return;
    case 'documentKey':
      if (type === bsonTypes.object) fields.id = copyId(bytes.subarray(valueStart, valueEnd));
      return;
    case 'ns':
      fields.collection = readCollection(bytes, view, type, valueStart, valueEnd);
      return;
    case 'to':
      fields.newName = readCollection(bytes, view, type, valueStart, valueEnd);
      return;
    case 'clusterTime':
      if (type === bsonTypes.timestamp) {
        fields.time = clusterTimeOf(view.getUint32(valueStart + 4, true), view.getUint32(valueStart, true));
      }
  }
}

function readCollection(
  bytes: Buffer,
  view: DataView,
  type: number,
  start: number,
  end: number,
): string | null {
  if (type !== bsonTypes.object) return null;
  inner.open(view, start, end);
  while (inner.next(null)) {
    if (
      inner.type !== bsonTypes.string ||
      bytes.toString('latin1', inner.nameStart, inner.nameEnd) !== 'coll'
    ) {
      continue;
    }
    return bytes.toString('utf8', inner.valueStart + 4, inner.valueEnd - 1);
  }
  return null;
}

function isChangeKind(kind: string): kind is ChangeKind {
  return (changeKinds as readonly string[]).includes(kind);
}
