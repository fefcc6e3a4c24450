/** Reads the columns of a table in the target, and their types. */

import type pg from 'pg';
import { TargetError } from '../../common/errors.ts';
import type { ExistingTable, TableColumn } from '../../transcode/column-target.ts';
import { hasLedger } from '../ledger/ledger.ts';
import { isTableOfARun } from '../ledger/runs.ts';
import type { TableName } from '../connection/relations.ts';
import { readPartitioning } from './partitions.ts';
import { type CatalogType, type MoneyStyle, TableTypes } from './table-types.ts';

/**
 * @returns null if there is no table
 * @throws TargetError when the name belongs to a relation that accepts no rows
 */
export async function readTable(client: pg.Client, name: TableName): Promise<ExistingTable | null> {
  const { rows } = await client.query<{ oid: number; relkind: string }>(
    `SELECT c.oid, c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND c.relname = $2`,
    [name.schema, name.table],
  );
  const relation = rows[0];
  if (relation === undefined) return null;
  const what = otherKinds[relation.relkind];
  if (what !== undefined) {
    throw new TargetError(`"${name.schema}"."${name.table}" is ${what}, not a table`, {
      code: 'NOT_A_TABLE',
      fix: 'choose another POSTGRES_SCHEMA, or a plan file with another table.',
    });
  }
  const types = new TableTypes(await readTypes(client, relation.oid), await readMoneyStyle(client));
  const columns = await readColumns(client, relation.oid, types);
  const partitioned = await readPartitioning(client, name);
  const isOwn = (await hasLedger(client)) && (await isTableOfARun(client, name));
  return { columns, isOwn, ...(partitioned === undefined ? {} : { partitioned }) };
}

/** The child tables of a plan or plan file; null for each that does not exist. They are in the schema of the main table. */
export async function readChildTables(
  client: pg.Client,
  schema: string,
  children: readonly Pick<TableName, 'table'>[] = [],
): Promise<(ExistingTable | null)[]> {
  const tables: (ExistingTable | null)[] = [];
  for (const { table } of children) tables.push(await readTable(client, { schema, table }));
  return tables;
}

/** By pg_class.relkind. All other kinds accept COPY. */
const otherKinds: Partial<Record<string, string>> = {
  v: 'a view',
  m: 'a materialized view',
  i: 'an index',
  I: 'an index',
  S: 'a sequence',
  c: 'a composite type',
};

interface CatalogColumn {
  readonly column: string;
  readonly typeName: string;
  readonly typeOid: number;
  readonly modifier: number;
  readonly dimensions: number;
  readonly isNotNull: boolean;
  readonly hasDefault: boolean;
  readonly isIdentity: boolean;
  readonly isGenerated: boolean;
}

async function readColumns(client: pg.Client, table: number, types: TableTypes): Promise<TableColumn[]> {
  const { rows } = await client.query<CatalogColumn>(
    `SELECT attname AS "column", format_type(atttypid, atttypmod) AS "typeName", atttypid AS "typeOid",
            atttypmod AS modifier, attndims AS dimensions, attnotnull AS "isNotNull", atthasdef AS "hasDefault",
            attidentity <> '' AS "isIdentity", attgenerated <> '' OR attidentity = 'a' AS "isGenerated"
       FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped ORDER BY attnum`,
    [table],
  );
  return rows.map(({ column, typeOid, modifier, isIdentity, isGenerated, ...row }) => {
    const { value, isDomainNotNull, hasDomainDefault } = types.describe(typeOid, modifier, row.dimensions);
    // format_type shows `integer[]` for any number of dimensions.
    const typeName = row.typeName + '[]'.repeat(Math.max(0, (value?.dimensions ?? 1) - 1));
    const isNotNull = row.isNotNull || isDomainNotNull;
    return {
      column,
      typeName,
      target: value && { name: typeName, ...value, ...(isNotNull ? { isNotNull } : {}) },
      isNotNull,
      hasDefault: row.hasDefault || isIdentity || hasDomainDefault,
      isGenerated,
    };
  });
}

/** The types of the table's columns, and those that they are based on. */
async function readTypes(client: pg.Client, table: number): Promise<CatalogType[]> {
  const { rows } = await client.query<CatalogType>(
    `WITH RECURSIVE used AS (
       SELECT atttypid AS oid FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped
       UNION
       SELECT part FROM used JOIN pg_type t USING (oid), unnest(ARRAY[t.typbasetype, t.typelem]) AS part
        WHERE part <> 0)
     SELECT t.oid, t.typname AS name, n.nspname = 'pg_catalog' AS "isBuiltIn", t.typtype AS kind,
            t.typcategory AS category, t.typbasetype AS "baseOid", t.typtypmod AS modifier, t.typndims AS dimensions,
            t.typnotnull AS "isNotNull", t.typdefault IS NOT NULL AS "hasDefault", t.typdelim AS delimiter,
            CASE WHEN e.typarray = t.oid THEN e.oid END AS "elementOid",
            CASE WHEN n.nspname = 'pg_catalog' THEN format_type(t.oid, -1)
                 ELSE format('%I.%I', n.nspname, t.typname) END AS sql,
            ARRAY(SELECT enumlabel::text FROM pg_enum WHERE enumtypid = t.oid ORDER BY enumsortorder) AS labels
       FROM used JOIN pg_type t USING (oid) JOIN pg_namespace n ON n.oid = t.typnamespace
       LEFT JOIN pg_type e ON e.oid = t.typelem`,
    [table],
  );
  return rows;
}

/** The decimal places of money, and the decimal point, depend on the database's locale. */
async function readMoneyStyle(client: pg.Client): Promise<MoneyStyle> {
  const { rows } = await client.query<{ scale: number; zero: string }>(
    'SELECT scale(0::money::numeric) AS scale, 0::money::text AS zero',
  );
  const { scale = 0, zero = '' } = rows[0] ?? {};
  // A currency symbol can contain a point: `Rs. 0.00`.
  return { scale, decimalPoint: /0(\D)0/.exec(zero)?.[1] ?? '' };
}
