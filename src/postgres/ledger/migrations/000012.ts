/** A transform may drop a document, or make several rows of it: the account of a batch counts both. */

export const sql = `
  ALTER TABLE mongo2pg.batches
    ADD COLUMN dropped integer NOT NULL DEFAULT 0,
    ADD COLUMN added_rows integer NOT NULL DEFAULT 0,
    DROP CONSTRAINT batches_check,
    ADD CONSTRAINT batches_check CHECK (documents = copied + dead_lettered + dropped);
  COMMENT ON COLUMN mongo2pg.batches.dropped IS 'Documents that the transform made nothing of: documents = copied + dead_lettered + dropped.';
  COMMENT ON COLUMN mongo2pg.batches.added_rows IS 'Rows that documents have beyond one each: rows = copied + added_rows.';
`;
