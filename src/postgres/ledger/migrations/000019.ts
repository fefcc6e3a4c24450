/** Several hosts build keys and indexes together: what is to be built of each run, and what became of it. */

export const sql = `
  CREATE TABLE mongo2pg.host_builds (
    run_id    bigint NOT NULL REFERENCES mongo2pg.runs,
    item      text NOT NULL,
    place     integer NOT NULL,
    build     json NOT NULL,
    host_id   bigint REFERENCES mongo2pg.hosts,
    done_at   timestamptz,
    result    json,
    PRIMARY KEY (run_id, item),
    CHECK ((done_at IS NULL) = (result IS NULL))
  );
  COMMENT ON TABLE mongo2pg.host_builds IS
    'Keys and indexes that several hosts build. A host locks the row until the end of the transaction in which it builds.';
  COMMENT ON COLUMN mongo2pg.host_builds.item IS 'What is built, for people.';
  COMMENT ON COLUMN mongo2pg.host_builds.host_id IS 'The host that has built it.';
`;
