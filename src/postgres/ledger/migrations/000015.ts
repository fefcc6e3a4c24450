/** Several hosts copy together: who they are, which ranges each has, and how many documents its readers have read. */

export const sql = `
  CREATE TABLE mongo2pg.hosts (
    host_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source_db     text NOT NULL,
    table_schema  text NOT NULL,
    selection     text NOT NULL,
    name          text NOT NULL,
    version       text NOT NULL,
    settings      jsonb NOT NULL,
    is_lead       boolean NOT NULL DEFAULT false,
    connections   integer,
    joined_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    left_at       timestamptz,
    end_reason    text CHECK (end_reason IN ('finished', 'left', 'failed', 'dead')),
    end_detail    jsonb,
    CHECK ((left_at IS NULL) = (end_reason IS NULL))
  );
  COMMENT ON TABLE mongo2pg.hosts IS 'The processes of starts with --hosts: of those with the same three names one leads.';
  COMMENT ON COLUMN mongo2pg.hosts.settings IS 'What all must have alike, by name.';
  COMMENT ON COLUMN mongo2pg.hosts.connections IS 'How many its workers may have together; null before the lead has shared them out.';
  COMMENT ON COLUMN mongo2pg.hosts.seen_at IS 'Its last sign of life. One that gives none for too long is taken for dead.';
  COMMENT ON COLUMN mongo2pg.hosts.left_at IS 'It takes part no more, and what it had is others''.';
  CREATE UNIQUE INDEX hosts_one_lead ON mongo2pg.hosts (source_db, table_schema, selection)
    WHERE is_lead AND left_at IS NULL;

  ALTER TABLE mongo2pg.ranges
    ADD host_id    bigint REFERENCES mongo2pg.hosts,
    ADD documents  bigint;
  COMMENT ON COLUMN mongo2pg.ranges.host_id IS
    'The host that has it; null for one that waits to be taken, and where a single process has all.';
  COMMENT ON COLUMN mongo2pg.ranges.documents IS 'How many documents its host has read in it, once all were acked.';
`;
