/**
 * The relay: a table by which a transaction on a worker node of Citus writes to the ledger. Its one shard is on the coordinator, where a
 * trigger carries out what is inserted, and keeps no row. So the ledger remains tables of the coordinator, and its rows are committed
 * together with those of a batch: by the node, in two phases.
 */

import pg from 'pg';
import { inTransaction, type Session } from '../connection/session.ts';
import { lockUntilEnd } from './run-lock.ts';

/** Citus passes on the SQLSTATE of an error, and not which table and column it is about. */
const states = { isClaimed: 'M2P02', hasNoRange: 'M2P01' } as const;

const createStatements = `
  CREATE TABLE IF NOT EXISTS mongo2pg.relay (statement text NOT NULL);
  COMMENT ON TABLE mongo2pg.relay IS
    'On Citus: what nodes that load batches do in the ledger. It is carried out here, in the transaction of the batch, and not kept.';
  CREATE OR REPLACE FUNCTION mongo2pg.carry_out() RETURNS trigger LANGUAGE plpgsql AS $function$
  DECLARE
    in_schema text;
    in_table text;
  BEGIN
    EXECUTE NEW.statement;
    RETURN NULL;
  EXCEPTION WHEN unique_violation OR not_null_violation THEN
    GET STACKED DIAGNOSTICS in_schema = SCHEMA_NAME, in_table = TABLE_NAME;
    IF in_schema <> 'mongo2pg' OR in_table <> 'batches' THEN RAISE; END IF;
    RAISE EXCEPTION USING MESSAGE = SQLERRM,
      ERRCODE = CASE SQLSTATE WHEN '23505' THEN '${states.isClaimed}' ELSE '${states.hasNoRange}' END;
  END
  $function$;
  CREATE OR REPLACE TRIGGER carry_out BEFORE INSERT ON mongo2pg.relay FOR EACH ROW EXECUTE FUNCTION mongo2pg.carry_out();
  SELECT citus_add_local_table_to_metadata('mongo2pg.relay')`;

/** Creates the relay on the coordinator unless it is there. The coordinator must be listed among the nodes. */
export async function prepareRelay(session: Session): Promise<void> {
  if (await session.run(hasRelay)) return;
  await session.run(
    (client) =>
      inTransaction(client, async () => {
        await lockUntilEnd(client, 'relay');
        await client.query('SET LOCAL client_min_messages = warning');
        if (!(await hasRelay(client))) await client.query(createStatements);
      }),
    'long',
  );
}

async function hasRelay(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ isThere: boolean }>(
    `SELECT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = to_regclass('mongo2pg.relay')) AS "isThere"`,
  );
  return rows[0]?.isThere === true;
}

/** @param statement without parameters @returns one that has it carried out on the coordinator */
export function relayed(statement: string): string {
  return `INSERT INTO mongo2pg.relay (statement) VALUES (${pg.escapeLiteral(statement)})`;
}

/** `relayed` for a statement that may be long. */
export async function relay(client: pg.Client, statement: string): Promise<void> {
  await client.query('INSERT INTO mongo2pg.relay (statement) VALUES ($1)', [statement]);
}

/** @returns what the error of a relayed claim says; null if it is another error */
export function readRelayedError(error: unknown): keyof typeof states | null {
  if (!(error instanceof pg.DatabaseError)) return null;
  if (error.code === states.isClaimed) return 'isClaimed';
  return error.code === states.hasNoRange ? 'hasNoRange' : null;
}
