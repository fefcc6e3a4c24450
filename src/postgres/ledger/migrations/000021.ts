/** Several hosts follow together: each slot of a followed collection has an owner, and an epoch of its own. */

export const sql = `
  ALTER TABLE mongo2pg.slots ADD COLUMN host_id bigint REFERENCES mongo2pg.hosts;
  COMMENT ON COLUMN mongo2pg.slots.host_id IS
    'The host that drains it; null for one that waits for a host, and where a single process drains all.';
  COMMENT ON COLUMN mongo2pg.slots.epoch IS 'Rises whenever the owner changes: a merge by an earlier owner is refused.';

  ALTER TABLE mongo2pg.hosts ADD COLUMN takes_slots boolean NOT NULL DEFAULT false;
  COMMENT ON COLUMN mongo2pg.hosts.takes_slots IS 'The host follows, and can be given slots.';
`;
