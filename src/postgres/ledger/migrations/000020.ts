/** Several hosts also verify together without copying: what each host takes part in. */

export const sql = `
  ALTER TABLE mongo2pg.hosts ADD task text NOT NULL DEFAULT 'copy' CHECK (task IN ('copy', 'verify'));
  COMMENT ON COLUMN mongo2pg.hosts.task IS 'copy: a start with --hosts, with the verification after it. verify: a verify with --hosts.';
`;
