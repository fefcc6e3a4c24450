/** What a transform is: the default export of the module that TRANSFORM names. */

import type * as bson from 'bson';

export interface TransformContext {
  /** `database.collection`. */
  readonly collection: string;
  /** The name of the table. */
  readonly table: string;
  /** Classes of the package js-bson: a module need not find it. */
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
 * Makes of a document what is copied: a document, none (`null`), or several. It is given the fields as values of JavaScript
 * where these tell the type (int32 as a number, int64 as a bigint), and as js-bson's classes where not (a double is a `Double`).
 * It runs in the workers, is not asynchronous, and gives the same for the same document: comparing calls it again. What it
 * throws makes the document a dead letter.
 */
export type MigrationTransform = (
  document: bson.Document,
  context: TransformContext,
) => bson.Document | null | readonly bson.Document[];
