/** The shape of a plan file, and its published schema. */

import { z } from 'zod';
import { jsonStyles } from '../../bson/json/json-style.ts';
import { nulPolicies } from '../../bson/nul-policy.ts';
import { type ColumnType, columnTypes } from '../../transcode/column-types.ts';

const names = z.union([z.string(), z.array(z.string()).min(1)]);

const path = names.describe(
  'Where the value is in the document: "city", or "address.city" for a value of an embedded document. ' +
    'Where a name is empty or has a dot, a list of the names: ["address", "a.b"].',
);

const type = z.enum(Object.keys(columnTypes) as [ColumnType, ...ColumnType[]]).describe(
  `How values are kept: ${Object.entries(columnTypes)
    .map(([name, sql]) => (name === sql ? name : `${name} (${sql})`))
    .join(', ')}. A value that does not fit goes to the extra column.`,
);

const seen = z
  .string()
  .describe('What the sample showed: shares of all its documents. For people; not read.')
  .optional();

const column = z.strictObject({
  column: z.string().describe('The name of the column.'),
  path,
  type,
  subtype: z
    .int()
    .min(0)
    .max(255)
    .describe('Of a binary column: the one subtype that it takes (default: 0).')
    .optional(),
  notNull: z
    .boolean()
    .describe('The column is NOT NULL: a document without a value for it becomes a dead letter.')
    .optional(),
  seen,
});

const child = z.strictObject({
  path: names.describe(
    'Where the array is in the document: "lines", or "shipping.parcels" for one of an embedded document.',
  ),
  table: z.string().describe('The name of the table of its elements.'),
  parentColumn: z.string().describe("The column for the document's _id (default: parent_id).").optional(),
  ordinalColumn: z
    .string()
    .describe('The column for the place in the array, from 0 (default: ordinal).')
    .optional(),
  columns: z.array(column).describe('The columns for fields of the elements, their paths within an element.'),
  extraColumn: z
    .string()
    .describe(
      'The jsonb column for what has no column, and for elements that are no documents (default: _extra).',
    )
    .optional(),
});

const nested = z.strictObject({ path, type, seen });

export const planFileSchema = z.strictObject({
  $schema: z.string().describe('For editors; not read.').optional(),
  collection: z
    .string()
    .describe('The collection that the plan was made for. Informational only.')
    .optional(),
  sampled: z.string().describe('What the plan was inferred from. For people; not read.').optional(),
  schema: z.string().describe('Schema of the table (default: POSTGRES_SCHEMA).').optional(),
  table: z.string().describe("The table's name (default: the collection's).").optional(),
  jsonStyle: z
    .enum(jsonStyles)
    .describe('How jsonb is written (default: JSON_STYLE); _id is always canonical.')
    .optional(),
  nul: z
    .enum(nulPolicies)
    .describe('How to handle a document with U+0000 in a text (default: NUL).')
    .optional(),
  columns: z
    .array(column)
    .describe(
      'The columns in their order. One has the path "_id", the primary key, unless "_id" is in drop. ' +
        'A field that has no column, and is not listed in drop, goes to the extra column.',
    ),
  extraColumn: z
    .string()
    .describe('The jsonb column that keeps what has no column or does not fit its own (default: _extra).')
    .optional(),
  keepsWhole: z
    .boolean()
    .describe('The extra column has every document whole, and not only what has no column.')
    .optional(),
  children: z
    .array(child)
    .describe(
      'Arrays whose elements go to tables of their own, a row for each, and not to the table of their documents.',
    )
    .optional(),
  drop: z
    .array(names.describe('The field. Where its name is empty or has a dot, in a list: ["a.b"].'))
    .describe(
      'Top-level fields to skip on purpose; each value is counted in the summary. ' +
        '"_id" only for a table that already exists, with a key of its own.',
    )
    .optional(),
  nested: z
    .array(nested)
    .describe(
      'Fields of embedded documents. For people; not read: copy an entry to columns, with a name, to give it a column.',
    )
    .optional(),
});

export type PlanFile = z.infer<typeof planFileSchema>;
export type PlanFileColumn = z.infer<typeof column>;
export type PlanFileChild = z.infer<typeof child>;
export type PlanFileNested = z.infer<typeof nested>;

/** The schema that editors use, from the same source as the check. */
export function createPlanFileSchema(): object {
  const { $schema, ...schema } = z.toJSONSchema(planFileSchema, { io: 'input' });
  return { $schema, title: 'A plan of mongo2pg', ...schema };
}
