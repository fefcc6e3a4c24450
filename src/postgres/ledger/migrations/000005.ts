/** Jobs, runs, ranges, batches, dead letters: the ledger as it was when its migrations began to be counted. */

export const sql = `
  CREATE TABLE mongo2pg.jobs (
    job_id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source_db     text NOT NULL,
    table_schema  text NOT NULL,
    selection     text NOT NULL,
    started_at    timestamptz NOT NULL DEFAULT now(),
    finished_at   timestamptz
  );
  COMMENT ON TABLE mongo2pg.jobs IS 'Starts that copy several collections.';

  CREATE TABLE mongo2pg.runs (
    run_id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id        bigint REFERENCES mongo2pg.jobs,
    source        text NOT NULL,
    table_schema  text NOT NULL,
    table_name    text NOT NULL,
    settings      jsonb NOT NULL,
    fingerprint   text NOT NULL,
    table_oid     oid NOT NULL,
    is_own_table  boolean NOT NULL,
    rows_before   bigint NOT NULL,
    child_rows_before bigint NOT NULL,
    epoch         integer NOT NULL DEFAULT 1,
    started_at    timestamptz NOT NULL DEFAULT now(),
    loaded_at     timestamptz,
    finished_at   timestamptz,
    replaced_at   timestamptz
  );
  COMMENT ON COLUMN mongo2pg.runs.table_oid IS 'Tells the table from another that has taken its name.';
  COMMENT ON COLUMN mongo2pg.runs.epoch IS
    'Counts the processes that have led this run; batches of an earlier one are refused.';
  COMMENT ON COLUMN mongo2pg.runs.loaded_at IS 'Every document is committed; keys and indexes may still be missing.';
  COMMENT ON COLUMN mongo2pg.runs.replaced_at IS 'The rows of this run were given up for those of a later one.';
  CREATE UNIQUE INDEX runs_one_unfinished ON mongo2pg.runs (table_schema, table_name)
    WHERE finished_at IS NULL AND replaced_at IS NULL;

  CREATE TABLE mongo2pg.job_collections (
    job_id      bigint NOT NULL REFERENCES mongo2pg.jobs,
    collection  text NOT NULL,
    place       integer NOT NULL,
    run_id      bigint REFERENCES mongo2pg.runs,
    outcome     text CHECK (outcome IN ('failed', 'left_out')),
    detail      text,
    PRIMARY KEY (job_id, collection)
  );
  COMMENT ON TABLE mongo2pg.job_collections IS 'What a job copies, in the order in which it does.';
  COMMENT ON COLUMN mongo2pg.job_collections.run_id IS 'The run that copies it, or had copied it before; null until then.';
  COMMENT ON COLUMN mongo2pg.job_collections.outcome IS 'Why there is no more of it, where that is not in its run.';

  CREATE TABLE mongo2pg.ranges (
    run_id     bigint NOT NULL REFERENCES mongo2pg.runs,
    range_no   integer NOT NULL,
    after_id   bytea,
    until_id   bytea,
    closed_at  timestamptz,
    PRIMARY KEY (run_id, range_no)
  );
  COMMENT ON TABLE mongo2pg.ranges IS
    'Intervals (after_id, until_id] of _id, or of offsets in a dump, read in order by one reader each. A closed one was given up for its gaps.';

  CREATE TABLE mongo2pg.batches (
    run_id         bigint NOT NULL,
    batch          bigint NOT NULL,
    range_no       integer NOT NULL,
    after_id       bytea,
    last_id        bytea NOT NULL,
    documents      integer NOT NULL,
    copied         integer NOT NULL,
    dead_lettered  integer NOT NULL,
    bytes          bigint NOT NULL,
    extra          jsonb,
    child_rows     bigint NOT NULL DEFAULT 0,
    committed_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (documents = copied + dead_lettered),
    PRIMARY KEY (run_id, batch),
    FOREIGN KEY (run_id, range_no) REFERENCES mongo2pg.ranges
  );
  COMMENT ON COLUMN mongo2pg.batches.batch IS 'The position of its first document among all that the run has read.';
  COMMENT ON COLUMN mongo2pg.batches.after_id IS
    'The batch holds the documents of the interval (after_id, last_id]; both are BSON documents {_id: ...}, of a dump {_id: ..., offset: ...}.';

  CREATE TABLE mongo2pg.dead_letters (
    run_id       bigint NOT NULL,
    batch        bigint NOT NULL,
    ordinal      integer NOT NULL,
    collection   text NOT NULL,
    document_id  text,
    reason       text NOT NULL,
    code         text,
    column_name  text,
    detail       text NOT NULL,
    document     bytea NOT NULL,
    PRIMARY KEY (run_id, batch, ordinal),
    FOREIGN KEY (run_id, batch) REFERENCES mongo2pg.batches
  );
  CREATE INDEX dead_letters_by_id ON mongo2pg.dead_letters USING hash (document_id);
  COMMENT ON COLUMN mongo2pg.dead_letters.document IS 'The whole document as raw BSON.';
  COMMENT ON COLUMN mongo2pg.dead_letters.code IS 'The SQLSTATE, where Postgres refused the row.';
`;
