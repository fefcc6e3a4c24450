/** Fields that were promoted: from the extra column of a finished run to columns of their own. */

export const sql = `
  CREATE TABLE mongo2pg.promotions (
    run_id        bigint NOT NULL REFERENCES mongo2pg.runs,
    field         text NOT NULL,
    column_name   text NOT NULL,
    type          text NOT NULL,
    types         jsonb,
    after_key     text,
    promoted      bigint NOT NULL DEFAULT 0,
    nulls         bigint NOT NULL DEFAULT 0,
    left_behind   jsonb NOT NULL DEFAULT '{}',
    began_at      timestamptz NOT NULL DEFAULT now(),
    finished_at   timestamptz,
    PRIMARY KEY (run_id, field)
  );
  COMMENT ON TABLE mongo2pg.promotions IS 'Fields that were given columns of their own after the copy.';
  COMMENT ON COLUMN mongo2pg.promotions.type IS 'As plans name it.';
  COMMENT ON COLUMN mongo2pg.promotions.types IS 'The BSON types that the field had in the documents; null where not all are known.';
  COMMENT ON COLUMN mongo2pg.promotions.after_key IS 'The last row that was gone over; null before the first.';
  COMMENT ON COLUMN mongo2pg.promotions.left_behind IS 'How many values did not fit the column and stay in the extra column, by type.';
  COMMENT ON COLUMN mongo2pg.promotions.finished_at IS 'Null while rows have the field in the extra column that are to have it in its own.';
`;
