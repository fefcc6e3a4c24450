/** SQL of the user's that is carried out before a copy and after it, each once. */

export const sql = `
  CREATE TABLE mongo2pg.scripts (
    source_db     text NOT NULL,
    table_schema  text NOT NULL,
    selection     text NOT NULL,
    stage         text NOT NULL CHECK (stage IN ('before', 'after')),
    sha256        bytea NOT NULL,
    done_at       timestamptz(3) NOT NULL DEFAULT now(),
    is_closed     boolean NOT NULL DEFAULT false,
    PRIMARY KEY (source_db, table_schema, selection, stage)
  );
  COMMENT ON TABLE mongo2pg.scripts IS 'Scripts of BEFORE_SQL and AFTER_SQL that were carried out, each in the transaction of its row.';
  COMMENT ON COLUMN mongo2pg.scripts.selection IS 'The collections that were copied, as given.';
  COMMENT ON COLUMN mongo2pg.scripts.sha256 IS 'Of the file that was carried out.';
  COMMENT ON COLUMN mongo2pg.scripts.is_closed IS 'All collections were copied: a copy that begins anew carries it out again.';
`;
