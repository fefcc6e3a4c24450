/** Writes the extra column: fields without a column and values that do not fit, or the whole document if the plan says so. */

import { bsonTypes } from '../bson/types.ts';
import { type BsonBytes, ElementCursor, type ElementPosition } from '../bson/cursor.ts';
import { DocumentError } from '../bson/document-error.ts';
import type { DocumentFields } from './document-fields.ts';
import type { ExtraField } from './extra-fields.ts';
import type { FieldLevel } from './field-level.ts';
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
    if (!this.#keepsWhole && !fields.hasRest) {
      output.writeInt32(copyNull);
      return;
    }
    const lengthAt = beginJson(output);
    if (!this.#keepsWhole) this.#writeExtras(source, fields, output);
    else if (fields.extras.droppedCount > 0) this.#writeRest(source, fields, start, end, output);
    else this.#json.writeValue(source, bsonTypes.object, start, end, output);
    endJson(output, lengthAt, this.#maxJsonBytes);
  }

  /** The rest of flattened documents comes last, each as an object. */
  #writeExtras(source: BsonBytes, fields: FieldLevel, output: Output): void {
    let separator = 0x7b;
    fields.extras.forEach((extra) => {
      if (extra.reason === 'dropped') return;
      output.writeByte(separator);
      separator = 0x2c;
      this.#writeMember(source, extra, extra.key, output);
    });
    for (const level of fields.levels) {
      if (!fields.has(level) || !level.hasRest) continue;
      fields.markRest(level);
      output.writeByte(separator);
      separator = 0x2c;
      output.writeBytes(level.key);
      output.writeByte(0x3a);
      this.#writeExtras(source, level, output);
    }
    output.writeByte(0x7d);
  }

  /** Writes the document without its dropped fields. */
  #writeRest(source: BsonBytes, fields: DocumentFields, start: number, end: number, output: Output): void {
    const extras = fields.extras.list();
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

/** For a table without an extra column. Throws a DocumentError if a value would need it. */
export function requireNoExtra(fields: DocumentFields): void {
  if (!fields.hasRest) return;
  const unmapped = findUnmapped(fields);
  if (unmapped === undefined) return;
  const name = unmapped.name === null ? 'one of its fields' : `the field ${JSON.stringify(unmapped.name)}`;
  if (unmapped.reason === 'no_column') {
    throw new DocumentError('no_column', `there is no column for ${name}`, unmapped.nameStart);
  }
  if (unmapped.reason === 'empty') {
    throw new DocumentError('does_not_fit', `no column shows that ${name} is empty`, unmapped.nameStart);
  }
  if (unmapped.reason === 'does_not_fit') {
    throw new DocumentError(
      'does_not_fit',
      `${name} is not a document, as its columns require`,
      unmapped.nameStart,
    );
  }
  throw new DocumentError('duplicate_field', `${name} occurs twice`, unmapped.nameStart);
}

function findUnmapped(fields: FieldLevel): ExtraField | undefined {
  const own = fields.extras.list().find(({ reason }) => reason !== 'dropped');
  if (own !== undefined) return own;
  const inside = fields.levels.filter((level) => fields.has(level) && level.hasRest);
  return inside.map(findUnmapped).find((extra) => extra !== undefined);
}
