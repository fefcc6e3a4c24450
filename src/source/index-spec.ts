/** An index of a collection, as its server tells it. */

export interface IndexSpec {
  readonly name: string;
  /** In the index's order. */
  readonly key: readonly IndexKey[];
  readonly isUnique: boolean;
  /** Documents without any of the fields are not in it. */
  readonly isSparse: boolean;
  /** Only documents that match are in it; with the types of js-bson. */
  readonly partialFilter: Readonly<Record<string, unknown>> | null;
  /** The language by which it compares text; null where it compares bytes. */
  readonly locale: string | null;
  /** The server deletes documents so long after the date in the field; NaN is never. Null: it is no such index. */
  readonly expireAfterSeconds: number | null;
}

export interface IndexKey {
  /** Names with dots between them. */
  readonly path: string;
  /** Ascending, descending, or the name of a special kind: `hashed`, `text`, `2dsphere` … */
  readonly kind: 1 | -1 | string;
}
