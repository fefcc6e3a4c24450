/** Writes the extra column: what has no column or does not fit its own, or the whole document if the plan wants that. */

import { bsonTypes } from '../bson/types.ts';
import { type BsonBytes, ElementCursor, type ElementPosition } from '../bson/cursor.ts';
import { DocumentError } from '../bson/document-error.ts';
import type { DocumentFields } from './document-fields.ts';
import { beginJson, copyNull, endJson } from './field.ts';
import type { JsonWriter } from '../bson/json/json-writer.ts';
import { writeJsonString } from '../bson/json/json-string.ts';
import type { Output } from '../bson/output.ts';

export class ExtraColumn {
  readonly #json: JsonWriter;
  readonly #maxJsonBytes: number;
  readonly #keepsWhole: boolean;
  readonly #cursor = new ElementCursor();

  constructor(json: JsonWriter, maxJsonBytes: number, keepsWhole: boolean) {
    this.#json = json;
    this.#maxJsonBytes = maxJsonBytes;
    this.#keepsWhole = keepsWhole;
  }

  /** Throws a DocumentError if the text would be too long, or could not be stored. */
  write(source: BsonBytes, fields: DocumentFields, start: number, end: number, output: Output): void {
    if (!this.#keepsWhole && fields.extraCount === fields.droppedCount) {
      output.writeInt32(copyNull);
      return;
    }
    const lengthAt = beginJson(output);
    if (!this.#keepsWhole) this.#writeExtras(source, fields, output);
    else if (fields.droppedCount > 0) this.#writeRest(source, fields, start, end, output);
    else this.#json.writeValue(source, bsonTypes.object, start, end, output);
    endJson(output, lengthAt, this.#maxJsonBytes);
  }

  #writeExtras(source: BsonBytes, fields: DocumentFields, output: Output): void {
    let separator = 0x7b;
    for (let i = 0; i < fields.extraCount; i++) {
      const extra = fields.extras[i];
      if (extra === undefined) break;
      if (extra.reason === 'dropped') continue;
      output.writeByte(separator);
      separator = 0x2c;
      this.#writeMember(source, extra, extra.key, output);
    }
    output.writeByte(0x7d);
  }

  /** Writes the document without its dropped fields. */
  #writeRest(source: BsonBytes, fields: DocumentFields, start: number, end: number, output: Output): void {
    const extras = fields.extras.slice(0, fields.extraCount);
    const dropped = new Set(
      extras.filter(({ reason }) => reason === 'dropped').map(({ nameStart }) => nameStart),
    );
    const cursor = this.#cursor;
    cursor.open(source.view, start, end);
    let separator = 0x7b;
    while (cursor.next(null)) {
      if (dropped.has(cursor.nameStart)) continue;
      output.writeByte(separator);
      separator = 0x2c;
      this.#writeMember(source, cursor, null, output);
    }
    if (separator === 0x7b) output.writeByte(separator);
    output.writeByte(0x7d);
  }

  /** @param key as JSON; null if it is the element's name */
  #writeMember(source: BsonBytes, element: ElementPosition, key: Uint8Array | null, output: Output): void {
    if (key === null) writeJsonString(source, element.nameStart, element.nameEnd, output);
    else output.writeBytes(key);
    output.writeByte(0x3a);
    this.#json.writeValue(source, element.type, element.valueStart, element.valueEnd, output);
  }
}

/** Where the table has no extra column. Throws a DocumentError if something would have to go there. */
export function requireNoExtra({ extras, extraCount, droppedCount }: DocumentFields): void {
  if (extraCount === droppedCount) return;
  const unmapped = extras.slice(0, extraCount).find(({ reason }) => reason !== 'dropped');
  if (unmapped === undefined) return;
  const name = unmapped.name === null ? 'one of its fields' : `the field ${JSON.stringify(unmapped.name)}`;
  if (unmapped.reason === 'no_column') {
    throw new DocumentError('no_column', `there is no column for ${name}`, unmapped.nameStart);
  }
  throw new DocumentError('duplicate_field', `${name} occurs twice`, unmapped.nameStart);
}
