/** A run goes through phases; each has its times, and an account of its own when it is done. */

export const sql = `
  CREATE TABLE mongo2pg.phases (
    run_id    bigint NOT NULL REFERENCES mongo2pg.runs,
    phase     text NOT NULL CHECK (phase IN ('copy', 'index')),
    began_at  timestamptz NOT NULL DEFAULT now(),
    done_at   timestamptz,
    account   jsonb,
    PRIMARY KEY (run_id, phase)
  );
  COMMENT ON TABLE mongo2pg.phases IS
    'What each run has gone through: copy commits every document, index builds keys and indexes.';
  COMMENT ON COLUMN mongo2pg.phases.account IS
    'As it was when the phase was done; null before, and for indexes of before version 7.';

  INSERT INTO mongo2pg.phases (run_id, phase, began_at, done_at, account)
  SELECT r.run_id, 'copy', r.started_at, r.loaded_at, CASE WHEN r.loaded_at IS NOT NULL THEN t.account END
    FROM mongo2pg.runs r, LATERAL (
      SELECT jsonb_build_object(
               'read', coalesce(sum(documents), 0), 'copied', coalesce(sum(copied), 0),
               'deadLettered', coalesce(sum(dead_lettered), 0), 'bytes', coalesce(sum(bytes), 0),
               'childRows', coalesce(sum(child_rows), 0)) AS account
        FROM mongo2pg.batches b WHERE b.run_id = r.run_id) t;
  INSERT INTO mongo2pg.phases (run_id, phase, began_at, done_at)
  SELECT run_id, 'index', loaded_at, finished_at FROM mongo2pg.runs WHERE loaded_at IS NOT NULL;
  ALTER TABLE mongo2pg.runs DROP COLUMN loaded_at;
`;
