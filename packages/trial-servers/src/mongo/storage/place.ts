/** Where a collection is: its name and its identity. */

/** A collection's name at the time of an operation, and its identity. */
export interface Place {
  readonly database: string;
  readonly collection: string;
  /** The sixteen bytes of its UUID; undefined where there is none: a database, a view. */
  readonly uuid: Buffer | undefined;
}

export const noPlace: Place = { database: '', collection: '', uuid: undefined };
