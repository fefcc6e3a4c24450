/**
 * Changes are followed: a stream, whose position and journal of changed ids are kept together; slots, which share out the
 * ids of a collection, and whose numbers keep each drain from being applied twice or late.
 */

export const sql = `
  CREATE TABLE mongo2pg.streams (
    stream_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source_db      text NOT NULL,
    table_schema   text NOT NULL,
    selection      text NOT NULL,
    epoch          integer NOT NULL DEFAULT 1,
    opened_at      timestamptz NOT NULL DEFAULT now(),
    start_time     numeric(20) NOT NULL,
    token          bytea NOT NULL,
    token_time     numeric(20) NOT NULL,
    server_time    numeric(20) NOT NULL,
    read_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    oldest_time    numeric(20),
    events         jsonb NOT NULL DEFAULT '{}',
    end_time       numeric(20),
    late           jsonb,
    is_repair      boolean NOT NULL DEFAULT false,
    cut_over_at    timestamptz,
    cut_over       jsonb,
    ended_at       timestamptz
  );
  COMMENT ON TABLE mongo2pg.streams IS 'The changes of the collections of a start with --follow.';
  COMMENT ON COLUMN mongo2pg.streams.epoch IS 'Counts the processes that have followed; an earlier one can change nothing.';
  COMMENT ON COLUMN mongo2pg.streams.start_time IS
    'Times are those of MongoDB: seconds since 1970 in the upper 32 bits. Documents are copied as of this one or later.';
  COMMENT ON COLUMN mongo2pg.streams.token IS 'Where reading goes on: every change before it is in changes, or applied.';
  COMMENT ON COLUMN mongo2pg.streams.server_time IS 'That of the server when the token was read.';
  COMMENT ON COLUMN mongo2pg.streams.end_time IS 'While a cut-over is under way: no change is to come after it.';
  COMMENT ON COLUMN mongo2pg.streams.late IS 'Changes after end_time, by collection.';
  COMMENT ON COLUMN mongo2pg.streams.is_repair IS 'What differs is not all found yet: until then nothing is followed.';
  COMMENT ON COLUMN mongo2pg.streams.ended_at IS 'Cut over, or given up for a later stream.';
  CREATE UNIQUE INDEX streams_one_open ON mongo2pg.streams (source_db, table_schema, selection)
    WHERE ended_at IS NULL;

  CREATE TABLE mongo2pg.stream_collections (
    stream_id      bigint NOT NULL REFERENCES mongo2pg.streams,
    collection_no  integer NOT NULL,
    collection     text NOT NULL,
    run_id         bigint REFERENCES mongo2pg.runs,
    followed_at    timestamptz,
    ended_time     numeric(20),
    ended_by       text,
    PRIMARY KEY (stream_id, collection_no),
    UNIQUE (stream_id, collection)
  );
  COMMENT ON COLUMN mongo2pg.stream_collections.run_id IS 'The run that copies it; null until that has begun.';
  COMMENT ON COLUMN mongo2pg.stream_collections.ended_by IS 'The collection was dropped or renamed, or another took its name.';

  CREATE TABLE mongo2pg.slots (
    stream_id      bigint NOT NULL,
    collection_no  integer NOT NULL,
    slot           smallint NOT NULL,
    epoch          integer NOT NULL,
    drain_no       bigint NOT NULL DEFAULT 0,
    inserted       bigint NOT NULL DEFAULT 0,
    updated        bigint NOT NULL DEFAULT 0,
    deleted        bigint NOT NULL DEFAULT 0,
    child_rows     bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (stream_id, collection_no, slot),
    FOREIGN KEY (stream_id, collection_no) REFERENCES mongo2pg.stream_collections
  ) WITH (fillfactor = 50);
  COMMENT ON TABLE mongo2pg.slots IS
    'The ids of a collection in parts that are drained one after the other each. Rows of a run: those copied + inserted - deleted.';
  COMMENT ON COLUMN mongo2pg.slots.drain_no IS 'Counts the drains; one of an earlier number or epoch is refused.';

  CREATE TABLE mongo2pg.changes (
    seq            bigint GENERATED ALWAYS AS IDENTITY,
    stream_id      bigint NOT NULL,
    collection_no  integer NOT NULL,
    slot           smallint NOT NULL,
    id             bytea NOT NULL,
    changed        numeric(20) NOT NULL,
    is_refused     boolean NOT NULL DEFAULT false
  ) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0);
  CREATE INDEX changes_by_slot ON mongo2pg.changes (stream_id, collection_no, slot, seq);
  COMMENT ON TABLE mongo2pg.changes IS 'Documents that were written and are still to be read again.';
  COMMENT ON COLUMN mongo2pg.changes.id IS 'A BSON document {_id: ...}.';
  COMMENT ON COLUMN mongo2pg.changes.is_refused IS
    'Postgres refused the row, which is a dead letter until another attempt succeeds.';
`;
