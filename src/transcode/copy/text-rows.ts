/** Turns a binary COPY stream into one in text format: https://www.postgresql.org/docs/current/sql-copy.html */

import type { Plan } from '../plan.ts';
import { wrapBytes } from '../../bson/cursor.ts';
import { copyHeader, copyTrailer } from './copy-format.ts';
import { copyNull } from '../field.ts';
import { Output } from '../../bson/output.ts';
import type { ValueType } from '../column-target.ts';
import { valueTypeOf } from '../column-types/of-column.ts';
import { valueKinds } from '../column-types/registry.ts';
import { escapes, escapeWritten, type WriteText } from '../encode/text-form.ts';

const tab = 0x09;
const newline = 0x0a;

const nullText = Buffer.from(String.raw`\N`);

const escapesInRow = escapes({ '\\': '\\', '\t': 't', '\n': 'n', '\r': 'r' });

export class TextRows {
  /** In the order of the fields. */
  readonly #forms: readonly WriteText[];
  readonly #output = new Output();

  constructor({ columns, extraColumn }: Plan) {
    const types = columns.map(valueTypeOf);
    const all = extraColumn === null ? types : [...types, { kind: 'jsonb' } as const];
    this.#forms = all.map(createTextForm);
  }

  /** @returns the same rows; valid until the next call, which reuses the memory */
  convert(copy: Buffer): Buffer {
    const forms = this.#forms;
    const output = this.#output;
    const source = wrapBytes(copy);
    const { view } = source;
    output.reset();
    let at = copyHeader.length;
    while (view.getInt16(at) !== copyTrailer) {
      at += 2;
      for (let index = 0; index < forms.length; index++) {
        if (index > 0) output.writeByte(tab);
        const length = view.getInt32(at);
        at += 4;
        if (length === copyNull) {
          output.writeBytes(nullText);
          continue;
        }
        const start = output.position;
        forms[index]?.(source, at, at + length, output);
        escapeWritten(output, start, escapesInRow);
        at += length;
      }
      output.writeByte(newline);
    }
    return output.bytes.subarray(0, output.position);
  }
}

function createTextForm(type: ValueType): WriteText {
  return valueKinds[type.kind].createText(type, createTextForm);
}
