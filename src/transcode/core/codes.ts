/** Numbers that the core and its host have for the same things; both compile this file. */

/** How jsonb is written. */
export const styleRelaxed = 0;
export const styleCanonical = 1;
export const stylePlain = 2;

/** What a column takes, and how it is stored. */
export const kindObjectId = 0;
export const kindObjectIdBytes = 1;
export const kindString = 2;
export const kindSymbol = 3;
export const kindInt32 = 4;
export const kindInt64 = 5;
export const kindDouble = 6;
export const kindDecimal = 7;
export const kindBoolean = 8;
export const kindDate = 9;
export const kindUuid = 10;
export const kindBinary = 11;
export const kindJson = 12;
/** Its elements have a table of their own. */
export const kindArray = 13;
/** Types of existing tables. */
export const kindText = 14;
export const kindJsonText = 15;
export const kindBytes = 16;
export const kindUuidOrText = 17;
export const kindInt16 = 18;
export const kindFloat = 19;
export const kindDay = 20;
/** An array of PostgreSQL. */
export const kindValues = 21;
/** Text whose bytes are limited, and not its characters. */
export const kindName = 22;
export const kindEnum = 23;
export const kindMoney = 24;

/** What is said of a column; to be added up. */
export const columnIsId = 1;
/** A value is there, and not null; else the document is refused. */
export const columnIsRequired = 2;
/** Else a value that does not fit goes to the extra column. */
export const columnRefusesMisfits = 4;
/** Its value is inside of a field, so that it comes in no order. */
export const columnIsNested = 8;
/** It has elements that are no documents, and no field. */
export const columnIsElement = 16;
/** An empty array has no row, and goes to the extra column. */
export const columnKeepsEmpty = 32;

/** What is said of a table; to be added up. */
export const tableHasExtra = 1;
/** The extra column has the whole document. */
export const tableKeepsWhole = 2;

/** Why a value is in the extra column, or in none. */
export const reasonNoColumn = 0;
export const reasonMisfit = 1;
export const reasonDropped = 2;
export const reasonEmpty = 3;

/** What the core says when it comes back. */
export const batchEnded = 0;
/** The document is rare, malformed, or would be a dead letter. */
export const documentRefused = 1;
/** The next document cannot be found. */
export const batchRefused = 2;
/** The system gives no more memory. */
export const memoryRefused = 3;
