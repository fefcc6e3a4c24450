/**
 * What drains merge is noted in one row a drain, in place of one a document: to keep each document once cost PostgreSQL about
 * a quarter more in each merge. Documents that differed keep rows of their own.
 */

export const sql = `
  CREATE TABLE mongo2pg.notes (
    stream_id      bigint NOT NULL,
    collection_no  integer NOT NULL,
    slot           smallint NOT NULL,
    drain_no       bigint NOT NULL,
    documents      integer NOT NULL,
    ids            bytea NOT NULL,
    PRIMARY KEY (stream_id, collection_no, slot, drain_no)
  ) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
  ALTER TABLE mongo2pg.notes ALTER COLUMN ids SET STORAGE EXTERNAL;
  COMMENT ON TABLE mongo2pg.notes IS 'What each drain has merged since it was compared: to be compared again.';
  COMMENT ON COLUMN mongo2pg.notes.ids IS 'A BSON array of {_id: ...}.';

  ALTER TABLE mongo2pg.unverified RENAME COLUMN touched TO version;
  COMMENT ON COLUMN mongo2pg.unverified.version IS 'Counts how often it was compared: what another comparison has found is not overwritten.';
  UPDATE mongo2pg.unverified SET version = 0, differs_hash = NULL, differs_time = NULL, is_different = false;
  COMMENT ON TABLE mongo2pg.unverified IS 'Documents that differed from their rows, and that no drain has merged since: to be compared again.';
  DROP INDEX mongo2pg.unverified_differing;
  CREATE INDEX unverified_by_slot ON mongo2pg.unverified (stream_id, collection_no, slot);
`;
