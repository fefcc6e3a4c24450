/** What a transform is: the default export of the module that TRANSFORM names. */

import type * as bson from 'bson';

export interface TransformContext {
  /** `database.collection`. */
  readonly collection: string;
  /** The name of the table. */
  readonly table: string;
  /** Classes of js-bson, so that the module need not import it. */
  readonly bson: BsonClasses;
}

export interface BsonClasses {
  readonly Binary: typeof bson.Binary;
  readonly BSONRegExp: typeof bson.BSONRegExp;
  readonly BSONSymbol: typeof bson.BSONSymbol;
  readonly Code: typeof bson.Code;
  readonly Decimal128: typeof bson.Decimal128;
  readonly Double: typeof bson.Double;
  readonly Int32: typeof bson.Int32;
  readonly Long: typeof bson.Long;
  readonly MaxKey: typeof bson.MaxKey;
  readonly MinKey: typeof bson.MinKey;
  readonly ObjectId: typeof bson.ObjectId;
  readonly Timestamp: typeof bson.Timestamp;
  readonly UUID: typeof bson.UUID;
}

/**
 * Returns what is copied for a document: a document, none (`null`), or several. Fields are passed as JavaScript values if these
 * determine the type (int32 as a number, int64 as a bigint), else as js-bson's classes (a double is a `Double`). It runs in the
 * workers, must not be asynchronous, and must be deterministic: comparing calls it again. If it throws, the document becomes a dead
 * letter.
 */
export type MigrationTransform = (
  document: bson.Document,
  context: TransformContext,
) => bson.Document | null | readonly bson.Document[];
