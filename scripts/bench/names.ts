/** The names of the collection and the table. Separate from the servers, which the programs of contestants need not load. */

/** Of the collection, and of the table. */
export const tableName = 'documents';
/** The child table of the elements of an array. */
export const childTableName = 'document_lines';
export const databaseName = 'bench';
