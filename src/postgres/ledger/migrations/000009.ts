/**
 * Verification goes in generations while changes are followed: how far the comparison of all documents has come, the ids that
 * were merged since and are to be compared again, and the transactions that merged, by which writes of others show.
 */

export const sql = `
  CREATE TABLE mongo2pg.verifications (
    stream_id      bigint NOT NULL,
    collection_no  integer NOT NULL,
    began_at       timestamptz(3) NOT NULL DEFAULT now(),
    since_time     numeric(20) NOT NULL,
    since_xid      bigint NOT NULL,
    base_rows      bigint NOT NULL,
    base_children  bigint NOT NULL,
    position       bytea,
    compared       bigint NOT NULL DEFAULT 0,
    finished_at    timestamptz,
    swept_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (stream_id, collection_no),
    FOREIGN KEY (stream_id, collection_no) REFERENCES mongo2pg.stream_collections
  );
  COMMENT ON TABLE mongo2pg.verifications IS 'The comparison of all documents of a collection with their rows, while it is followed.';
  COMMENT ON COLUMN mongo2pg.verifications.since_time IS 'Documents are compared as of this time of MongoDB or later.';
  COMMENT ON COLUMN mongo2pg.verifications.since_xid IS
    'Every transaction before it had ended: rows of later ones are of transactions in merges, or of somebody else.';
  COMMENT ON COLUMN mongo2pg.verifications.base_rows IS 'Rows of the table then, less what merges had inserted, plus what they had deleted.';
  COMMENT ON COLUMN mongo2pg.verifications.base_children IS 'The same for the child tables together.';
  COMMENT ON COLUMN mongo2pg.verifications.position IS 'The last document that was compared; null before the first.';
  COMMENT ON COLUMN mongo2pg.verifications.finished_at IS 'All documents were compared; what is not in unverified was equal.';
  COMMENT ON COLUMN mongo2pg.verifications.swept_at IS 'When the table was looked through last for rows of somebody else.';

  CREATE TABLE mongo2pg.unverified (
    stream_id      bigint NOT NULL,
    collection_no  integer NOT NULL,
    hash           bytea NOT NULL,
    slot           smallint NOT NULL,
    id             bytea NOT NULL,
    touched        bigint NOT NULL,
    differs_hash   text,
    differs_time   numeric(20),
    is_different   boolean NOT NULL DEFAULT false,
    PRIMARY KEY (stream_id, collection_no, hash)
  ) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0);
  CREATE INDEX unverified_differing ON mongo2pg.unverified (stream_id, collection_no) WHERE differs_hash IS NOT NULL;
  COMMENT ON TABLE mongo2pg.unverified IS 'Documents to be compared again: merged since they were compared, or found to differ.';
  COMMENT ON COLUMN mongo2pg.unverified.hash IS 'SHA-256 of id.';
  COMMENT ON COLUMN mongo2pg.unverified.touched IS 'The drain that merged it last, -1 for none: a comparison that began before it proves nothing.';
  COMMENT ON COLUMN mongo2pg.unverified.differs_hash IS 'The document as it was when it differed from its row; empty for one that is gone.';
  COMMENT ON COLUMN mongo2pg.unverified.differs_time IS 'A time of MongoDB after it was read so; null as long as none was taken.';
  COMMENT ON COLUMN mongo2pg.unverified.is_different IS 'The same document differed twice, with all changes merged in between.';

  CREATE TABLE mongo2pg.merges (
    stream_id      bigint NOT NULL,
    collection_no  integer NOT NULL,
    xid            xid NOT NULL
  );
  CREATE INDEX merges_by_collection ON mongo2pg.merges (stream_id, collection_no);
  COMMENT ON TABLE mongo2pg.merges IS 'Transactions that have written rows of followed collections since the table was looked through last.';

  ALTER TABLE mongo2pg.slots ADD COLUMN is_noted boolean NOT NULL DEFAULT false;
  COMMENT ON COLUMN mongo2pg.slots.is_noted IS 'What is merged is written into unverified and merges.';
`;
