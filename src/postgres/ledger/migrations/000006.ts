/**
 * A range owns its batches: they are numbered within it, an epoch of its own says who may commit them, and the ledger
 * keeps how far it was read.
 *
 * Batches of before keep their numbers, which count over the whole run. Their order within a range is the same, and a
 * run that is continued opens new ranges.
 */

export const sql = `
  ALTER TABLE mongo2pg.ranges
    ADD epoch    integer NOT NULL DEFAULT 1,
    ADD last_id  bytea,
    ADD read_at  timestamptz;
  COMMENT ON COLUMN mongo2pg.ranges.epoch IS
    'Counts the owners of this range; batches of an earlier one are refused.';
  COMMENT ON COLUMN mongo2pg.ranges.read_at IS
    'When its reader found nothing more after last_id (null: nothing at all). Its batches may not all be committed.';
  COMMENT ON COLUMN mongo2pg.runs.epoch IS
    'Counts the processes that have led this run; an earlier one can change nothing about it.';

  ALTER TABLE mongo2pg.dead_letters
    DROP CONSTRAINT dead_letters_run_id_batch_fkey,
    DROP CONSTRAINT dead_letters_pkey,
    ADD range_no integer;
  UPDATE mongo2pg.dead_letters d SET range_no = b.range_no
    FROM mongo2pg.batches b WHERE b.run_id = d.run_id AND b.batch = d.batch;
  ALTER TABLE mongo2pg.batches
    DROP CONSTRAINT batches_pkey,
    ADD PRIMARY KEY (run_id, range_no, batch);
  ALTER TABLE mongo2pg.dead_letters
    ALTER range_no SET NOT NULL,
    ADD PRIMARY KEY (run_id, range_no, batch, ordinal),
    ADD FOREIGN KEY (run_id, range_no, batch) REFERENCES mongo2pg.batches;
  COMMENT ON COLUMN mongo2pg.batches.batch IS
    'The position of its first document among all of its range; of runs begun before version 6, among all of the run.';
`;
