/** Several hosts verify together: the ranges of each collection that is compared, and what was found in each. */

export const sql = `
  CREATE TABLE mongo2pg.host_verifications (
    verification_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source_db        text NOT NULL,
    table_schema     text NOT NULL,
    selection        text NOT NULL,
    run_id           bigint NOT NULL REFERENCES mongo2pg.runs,
    collection_id    text,
    began_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    closed_at        timestamptz,
    UNIQUE (source_db, table_schema, selection, run_id)
  );
  COMMENT ON TABLE mongo2pg.host_verifications IS
    'Collections that several hosts have copied together and compare: of the last start with --hosts and --verify.';
  COMMENT ON COLUMN mongo2pg.host_verifications.collection_id IS 'MongoDB''s UUID of the collection that is compared.';
  COMMENT ON COLUMN mongo2pg.host_verifications.closed_at IS 'The lead has reported it, or has given it up.';

  CREATE TABLE mongo2pg.host_verification_ranges (
    verification_id  bigint NOT NULL REFERENCES mongo2pg.host_verifications ON DELETE CASCADE,
    range_no         integer NOT NULL,
    epoch            integer NOT NULL DEFAULT 1,
    after_id         bytea,
    until_id         bytea,
    host_id          bigint REFERENCES mongo2pg.hosts,
    compared_at      timestamptz,
    result           json,
    PRIMARY KEY (verification_id, range_no),
    CHECK ((compared_at IS NULL) = (result IS NULL))
  );
  CREATE INDEX host_verification_ranges_of_hosts ON mongo2pg.host_verification_ranges (host_id) WHERE compared_at IS NULL;
  COMMENT ON COLUMN mongo2pg.host_verification_ranges.epoch IS
    'Rises when a host takes the range, and when it is released: the result of an earlier owner is refused.';
  COMMENT ON COLUMN mongo2pg.host_verification_ranges.host_id IS 'The host that compares it, or has; null for one that waits.';
  COMMENT ON COLUMN mongo2pg.host_verification_ranges.result IS 'What its host has counted in it, written once, when all of it was compared.';
`;
