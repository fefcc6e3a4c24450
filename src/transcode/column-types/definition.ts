/** The definition of a column type. Every table of types is derived from these objects. */

import type { BsonTypeName } from '../../bson/types.ts';
import type { NulPolicy } from '../../bson/nul-policy.ts';
import type { ValueType } from '../column-target.ts';
import type { WriteText } from '../encode/text-form.ts';
import type { EncodeField } from '../field.ts';
import type { PlanColumn } from '../plan.ts';
import type { ColumnType, ValueKind } from './names.ts';
import type { MeasureValue } from './width.ts';

/** The BSON types that a column accepts, with their encoders. */
export type Takes = Partial<Record<BsonTypeName, EncodeField>>;

/** It accepts every BSON type, as JSON text. */
export type TakesAll = 'json' | 'jsonb';

/** A column type in a plan. */
export interface ColumnTypeDefinition {
  /** Its name in Postgres, as Postgres shows it. */
  readonly sql: string;
  /** Its OID in Postgres, for the binary form of arrays (src/include/catalog/pg_type.dat). */
  readonly oid: number;
  /** How Postgres stores its values. */
  readonly kind: ValueKind;
  /** The BSON type of its values, without conversions; null if there is none. */
  readonly bsonType: BsonTypeName | null;
  /** From which values it is inferred: a BSON type, or binary values that are UUIDs. Null if it is never inferred. */
  readonly inferredFrom: BsonTypeName | 'uuid' | null;
  /** By another type in the same field: the type that accepts both without loss. Any other pair becomes jsonb. */
  readonly widened?: Partial<Record<ColumnType, ColumnType>>;
  /** The values that it accepts. */
  readonly takes: (column: PlanColumn, nul: NulPolicy) => Takes | TakesAll;
}

/** A type of Postgres, of a column of an existing table. */
export interface ValueKindDefinition {
  /** The types in a plan file that are compatible with it; the first is used without a plan file. */
  readonly planTypes: readonly [ColumnType, ...ColumnType[]];
  /** It has no operator `=`, or one that treats different values as equal. */
  readonly isComparedAsText?: true;
  /** The maximum width of a value in a row. */
  readonly width: MeasureValue;
  readonly takes: (type: ValueType, options: KindOptions) => Takes | TakesAll;
  /** Converts the binary form of a value to its text form. */
  readonly createText: (type: ValueType, createInner: (type: ValueType) => WriteText) => WriteText;
}

export interface KindOptions {
  readonly nul: NulPolicy;
  /** Of a column of binary values (default: 0). */
  readonly subtype: number;
  /**
   * Text that is too long is written nevertheless, so that Postgres rejects the row with its own message: there is no extra column for the value.
   */
  readonly leavesTooLong: boolean;
  /** The encoders of the elements of an array, by type byte. */
  readonly createInner: (type: ValueType) => EncodeField[];
}
