/** Encodes values from the extra column for a promoted column, as the documents would have been encoded. */

import { wrapBytes } from '../bson/cursor.ts';
import type { JsonStyle } from '../bson/json/json-style.ts';
import { JsonMeanings, type Meaning } from '../bson/json/json-meanings.ts';
import { JsonWriter } from '../bson/json/json-writer.ts';
import { defaultNulPolicy } from '../bson/nul-policy.ts';
import { Output } from '../bson/output.ts';
import { type BsonTypeName, bsonTypes, nameOfType } from '../bson/types.ts';
import { createFieldEncoders } from './field-encoders.ts';
import { copyNull, type EncodeField } from './field.ts';
import type { Plan, PlanColumn } from './plan.ts';
import { limitsOf } from './row.ts';

/** The types that the field had in the copied documents; null if they are not all known. */
export type KnownTypes = ReadonlySet<BsonTypeName> | null;

/**
 * `fits`: it goes to the column. `null`: the column becomes NULL. `left`: it does not fit, and stays in the extra column.
 * `ambiguous`: it may come from different values, which the column would store differently.
 */
export type PromotedFate = 'fits' | 'null' | 'left' | 'ambiguous';

export interface PromotedValue {
  readonly fate: PromotedFate;
  /** The most likely original type; null if another program wrote it. */
  readonly type: BsonTypeName | null;
}

/** The BSON values that a text may come from, the likeliest first. */
export class KnownMeanings {
  readonly #meanings: JsonMeanings;
  readonly #known: KnownTypes;

  constructor(style: JsonStyle, known: KnownTypes) {
    this.#meanings = new JsonMeanings(style);
    this.#known = known;
  }

  list(json: string): readonly Meaning[] {
    const known = this.#known;
    const all = this.#meanings.list(json);
    if (known !== null) {
      const possible = all.filter(({ type }) => known.has(nameOfType(type)));
      const sane = possible.filter(({ likelihood }) => likelihood !== 'freak');
      if (possible.length > 0) return sane.length > 0 ? sane : possible;
    }
    return all.filter(({ likelihood }) => likelihood === undefined);
  }
}

export class PromotedValues {
  readonly #encoders: readonly EncodeField[];
  readonly #meanings: KnownMeanings;
  readonly #output = new Output(4096);

  /** @param column of any type but `json`, which takes values unchanged */
  constructor(plan: Plan, column: PlanColumn, known: KnownTypes) {
    const { jsonStyle: style = 'relaxed', nul = defaultNulPolicy } = plan;
    const json = new JsonWriter({ style, nul, keepsOrder: false });
    const { maxJsonBytes } = limitsOf({});
    this.#encoders = createFieldEncoders(column, { json, maxJsonBytes, nul, hasExtra: true });
    this.#meanings = new KnownMeanings(style, known);
  }

  /** @param to receives the field of a COPY row if the value fits or is null */
  write(json: string, to: Output): PromotedValue {
    const meanings = this.#meanings.list(json);
    const [first] = meanings;
    if (first === undefined) return { fate: 'left', type: null };
    const type = nameOfType(first.type);
    if (first.type === bsonTypes.null) {
      to.writeInt32(copyNull);
      return { fate: 'null', type };
    }
    const field = this.#encode(first);
    for (const other of meanings.slice(1)) {
      const otherwise = this.#encode(other);
      const isSame = field === null ? otherwise === null : otherwise !== null && field.equals(otherwise);
      if (!isSame) return { fate: 'ambiguous', type };
    }
    if (field === null) return { fate: 'left', type };
    to.writeBytes(field);
    return { fate: 'fits', type };
  }

  /** @returns null if it does not fit the column */
  #encode({ type, bytes }: Meaning): Buffer | null {
    const output = this.#output;
    output.reset();
    const isTaken = this.#encoders[type]?.(wrapBytes(bytes), 0, bytes.byteLength, output) === true;
    return isTaken ? Buffer.from(output.bytes.subarray(0, output.position)) : null;
  }
}
