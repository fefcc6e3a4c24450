/** The error of a collection that failed, for a process that continues after the one that has met it. */

export const sql = `
  ALTER TABLE mongo2pg.job_collections ADD COLUMN failure jsonb;
  COMMENT ON COLUMN mongo2pg.job_collections.failure IS 'Of a failed collection: the error that the job ends with because of it.';
`;
