/** Creates the target table of a run, or prepares the existing one. */

import { isDeepStrictEqual } from 'node:util';
import type pg from 'pg';
import { TargetError } from '../../common/errors.ts';
import type { IfExists } from '../../config/config.ts';
import { sqlTypeOf } from '../../transcode/column-types/of-column.ts';
import type { ExistingTable } from '../../transcode/column-target.ts';
import type { Plan } from '../../transcode/plan.ts';
import { inOneTrip } from '../connection/one-trip.ts';
import { createSchema, qualifiedName } from '../connection/relations.ts';
import { createTableStatement, tablesOf } from './ddl.ts';
import { distributeTables } from './distribution.ts';
import { readTable } from './table.ts';
import { listDropped, requirePlace } from './target-obstacles.ts';

/**
 * Creates the table, or prepares the existing one. To be called in a transaction.
 * @param plan fitted to the table, if it exists
 * @param isDistributed whether a new table is distributed over nodes
 * @returns `isOwn`: this tool created the table, now or in an earlier run; `isNew`: now
 * @throws TargetError when the table is not the one that the plan was made for
 */
export async function prepareTarget(
  client: pg.Client,
  plan: Plan,
  ifExists: IfExists,
  isDistributed = false,
): Promise<{ readonly isOwn: boolean; readonly isNew: boolean }> {
  const [, , dropped] = await inOneTrip(
    client,
    () => client.query('SET LOCAL client_min_messages = warning'),
    () => createSchema(client, plan.schema),
    async () => (ifExists === 'drop' ? await listDropped(client, plan) : []),
  );
  await requirePlace(client, plan, ifExists, dropped);
  // In one statement, since child tables reference the main table.
  if (dropped.length > 0) await client.query(`DROP TABLE ${dropped.map(qualifiedName).join(', ')}`);
  const table = await readTable(client, plan);
  if (table === null) {
    await client.query(tablesOf(plan).map(createTableStatement).join('; '));
    if (isDistributed) await distributeTables(client, plan);
    return { isOwn: true, isNew: true };
  }
  requireSame(plan, table);
  for (const child of tablesOf(plan).slice(1)) {
    requireSame(child, (await readTable(client, child)) ?? { columns: [], isOwn: false });
  }
  // In one statement, since child tables reference the main table.
  if (ifExists === 'truncate') await client.query(`TRUNCATE ${tablesOf(plan).map(qualifiedName).join(', ')}`);
  return { isOwn: table.isOwn, isNew: false };
}

/** Another session may have changed the table since the plan was made. */
function requireSame(plan: Plan, { columns }: ExistingTable): void {
  const isSame = plan.columns.every((planned) => {
    const { column, target } = planned;
    const found = columns.find((other) => other.column === column);
    if (target !== undefined) return isDeepStrictEqual(found?.target, target);
    return found?.typeName === sqlTypeOf(planned);
  });
  const hasExtra = columns.some(
    ({ column, target }) => column === plan.extraColumn && target?.kind === 'jsonb',
  );
  if (isSame && (hasExtra || plan.extraColumn === null)) return;
  throw new TargetError(`the table ${qualifiedName(plan)} was changed while the run started`, {
    code: 'TABLE_CHANGED',
    fix: 'run the same command again when no other session changes it.',
  });
}
