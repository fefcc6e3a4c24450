/** How hard each process reads its source, so that it can be changed while it does. */

export const sql = `
  CREATE TABLE mongo2pg.paces (
    process     uuid PRIMARY KEY,
    work        text NOT NULL,
    max_rate    text NOT NULL,
    load_level  text NOT NULL,
    is_taken    boolean NOT NULL DEFAULT true,
    seen_at     timestamptz NOT NULL DEFAULT now()
  ) WITH (fillfactor = 50);
  COMMENT ON TABLE mongo2pg.paces IS 'The processes that read a source, and how hard they are to.';
  COMMENT ON COLUMN mongo2pg.paces.work IS 'What the process does, for people.';
  COMMENT ON COLUMN mongo2pg.paces.max_rate IS 'As MAX_RATE has it.';
  COMMENT ON COLUMN mongo2pg.paces.is_taken IS 'The process goes by it; false where it was changed since.';
  COMMENT ON COLUMN mongo2pg.paces.seen_at IS 'When the process looked here last.';
`;
