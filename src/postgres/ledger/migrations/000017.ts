/**
 * Batches of a loaded run are folded into few rows. A dead letter keeps the place it had, and so no longer refers to the row of its
 * batch, but to its range: the row that has it in its account now is the last one that does not begin after it.
 */

export const sql = `
  ALTER TABLE mongo2pg.dead_letters
    DROP CONSTRAINT dead_letters_run_id_range_no_batch_fkey,
    ADD FOREIGN KEY (run_id, range_no) REFERENCES mongo2pg.ranges;
  COMMENT ON COLUMN mongo2pg.dead_letters.batch IS
    'As it was when its document was loaded; since then, rows of batches may have been folded into that of an earlier one.';
  COMMENT ON COLUMN mongo2pg.batches.documents IS
    'Of this batch, and of those after it that were folded into it: documents of the interval (after_id, last_id].';
`;
