/** All that is known of a type of columns. One object has it, and every table of types is made of these objects. */

import type { BsonTypeName } from '../../bson/types.ts';
import type { NulPolicy } from '../../bson/nul-policy.ts';
import type { ValueType } from '../column-target.ts';
import type { WriteText } from '../encode/text-form.ts';
import type { EncodeField } from '../field.ts';
import type { PlanColumn } from '../plan.ts';
import type { ColumnType, ValueKind } from './names.ts';
import type { MeasureValue } from './width.ts';

/** The BSON types that a column takes, and what writes their values. */
export type Takes = Partial<Record<BsonTypeName, EncodeField>>;

/** It takes every BSON type, as JSON text. */
export type TakesAll = 'json' | 'jsonb';

/** A type that a plan gives a column. */
export interface ColumnTypeDefinition {
  /** Its name in Postgres, as Postgres shows it. */
  readonly sql: string;
  /** The number that Postgres has for it, which the binary form of an array says (src/include/catalog/pg_type.dat). */
  readonly oid: number;
  /** How Postgres keeps its values. */
  readonly kind: ValueKind;
  /** The BSON type of its values, before others are converted; null where there is none. */
  readonly bsonType: BsonTypeName | null;
  /** The values of a sample that have it inferred: a BSON type, or the binary values that are UUIDs. Null when it never is. */
  readonly inferredFrom: BsonTypeName | 'uuid' | null;
  /** With another type in the same field → the type that takes both without loss. Any other pair becomes jsonb. */
  readonly widened?: Partial<Record<ColumnType, ColumnType>>;
  /** Which values it takes, besides those it converts exactly. */
  readonly takes: (column: PlanColumn, nul: NulPolicy) => Takes | TakesAll;
}

/** A type of Postgres that a column has in a table which was there before. */
export interface ValueKindDefinition {
  /** The types in a plan file that agree with it; the first is the one that is taken without a plan file. */
  readonly planTypes: readonly [ColumnType, ...ColumnType[]];
  /** It has no operator `=`, or one that takes values for equal which are not the same. */
  readonly isComparedAsText?: true;
  /** How much of a row a value takes at most. */
  readonly width: MeasureValue;
  readonly takes: (type: ValueType, options: KindOptions) => Takes | TakesAll;
  /** Writes the text form of a value, made of its binary form. */
  readonly createText: (type: ValueType, createInner: (type: ValueType) => WriteText) => WriteText;
}

export interface KindOptions {
  readonly nul: NulPolicy;
  /** Of a column of binary values (default: 0). */
  readonly subtype: number;
  /**
   * A text that is too long is written nevertheless, for Postgres to refuse the row in its own words: there is no other
   * place for the value.
   */
  readonly leavesTooLong: boolean;
  /** The encoders of another type, by the type byte: of the elements of an array. */
  readonly createInner: (type: ValueType) => EncodeField[];
}
