/** The results of `promote`, and candidates for it. */

import type { ColumnType } from '../transcode/column-types/names.ts';

export interface PromotionSummary {
  readonly runId: string;
  /** `database.collection`. */
  readonly source: string;
  /** Quoted, with its schema. */
  readonly table: string;
  readonly field: string;
  readonly column: string;
  readonly type: ColumnType;
  /** How many rows have the value in the column now. */
  readonly promoted: number;
  /** How many rows had null. In a column, null and a missing field are the same. */
  readonly nulls: number;
  /** How many values do not fit the column and stay in the overflow column, by BSON type. */
  readonly left: Readonly<Record<string, number>>;
  /** An earlier call had already done everything. */
  readonly isRepeated: boolean;
}

/** A field for which many rows have a value in the overflow column. */
export interface PromotableField {
  readonly field: string;
  /** How many of the sampled `rows` have it. */
  readonly count: number;
  readonly rows: number;
  /** The count of each BSON type, the most frequent first. */
  readonly types: Readonly<Record<string, number>>;
}
