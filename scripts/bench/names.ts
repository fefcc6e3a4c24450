/** What is copied and filled. Apart from the servers, which the programs of contestants have no need to load. */

/** Of the collection, and of the table. */
export const tableName = 'documents';
/** Of the elements of an array, where they are given one. */
export const childTableName = 'document_lines';
export const databaseName = 'bench';
