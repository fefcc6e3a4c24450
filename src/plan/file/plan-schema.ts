/** The schema of a plan file. */

import { z } from 'zod';
import { jsonStyles } from '../../bson/json/json-style.ts';
import { nulPolicies } from '../../bson/nul-policy.ts';
import { objectIdCollations } from '../../config/plan-choices.ts';
import { columnTypeNames } from '../../transcode/column-types/names.ts';
import { columnTypes } from '../../transcode/column-types/registry.ts';

const names = z.union([z.string(), z.array(z.string()).min(1)]);

const path = names.describe(
  'Where the value is in the document: "city", or "address.city" for a value of an embedded document. ' +
    'Where a name is empty or has a dot, a list of the names: ["address", "a.b"].',
);

const type = z
  .enum(columnTypeNames)
  .describe(
    `How values are kept: ${columnTypeNames
      .map((name) => (name === columnTypes[name].sql ? name : `${name} (${columnTypes[name].sql})`))
      .join(', ')}. A value that does not fit goes to the extra column.`,
  );

const seen = z
  .string()
  .describe('What the sample showed: shares of all its documents. For people; not read.')
  .optional();

const array = z
  .boolean()
  .describe(
    'The column is an array of the type: it takes arrays all of whose elements fit, or are null; others go to the extra column.',
  )
  .optional();
/** Checked against the type of its column: see `column-changes.ts`. */
const value = z.unknown();

const maskNames = ['redact', 'last4', 'sha256'] as const;

const column = z.strictObject({
  column: z.string().describe('The name of the column.'),
  path: z
    .union([z.string(), z.array(z.string())])
    .describe(
      `${path.description ?? ''} An empty list in a child table: the element itself, where that is no document.`,
    ),
  type,
  array,
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
  default: value.describe('Where the document has no value, or null, this one, in Extended JSON.').optional(),
  lowercase: z.boolean().describe('Texts are changed to lower case.').optional(),
  mask: z
    .enum(maskNames)
    .describe(
      'Hides the value, of whatever type: redact makes it ***, last4 hides all characters but the last four, ' +
        'sha256 makes it the hash of salt and text, in hex.',
    )
    .optional(),
  salt: z
    .string()
    .describe('Of sha256: goes before the text. It is kept in the ledger, with the plan.')
    .optional(),
  seen,
});

const flatten = z
  .array(names.describe('The document: "address", or "address.geo" for one inside of it.'))
  .describe(
    'Embedded documents that are taken apart: their values go to the columns and child tables of their paths, and only what ' +
      'is left of them to the extra column.',
  )
  .optional();
const constant = z.strictObject({
  column: z.string().describe('The name of the column.'),
  type,
  value: value.describe('What every row has, in Extended JSON.'),
});

const generated = z.strictObject({
  column: z.string().describe('The name of the column.'),
  type: z.string().describe('A type of PostgreSQL, in SQL.'),
  expression: z.string().describe('An expression in SQL, of other columns of the row.'),
});

const child = z.strictObject({
  path: names.describe(
    'Where the array is in the document: "lines", or "shipping.parcels" for one of an embedded document.',
  ),
  table: z.string().describe('The name of the table of its elements.'),
  parentColumn: z
    .string()
    .describe(
      "The column for the document's _id (default: parent_id). Inside of other children the columns of their keys have the names " +
        'that they have there.',
    )
    .optional(),
  ordinalColumn: z
    .string()
    .describe(
      'The column for the place in the array, from 0 (default: ordinal; inside of other children: that of the field and _ordinal).',
    )
    .optional(),
  keepEmpty: z
    .boolean()
    .describe('An empty array, which has no row, is kept in the extra column of the row around it.')
    .optional(),
  columns: z.array(column).describe('The columns for fields of the elements, their paths within an element.'),
  extraColumn: z
    .string()
    .describe(
      'The jsonb column for what has no column, and for elements that are no documents (default: _extra).',
    )
    .optional(),
  flatten,
  get children(): z.ZodOptional<z.ZodArray<typeof child>> {
    return z
      .array(child)
      .describe('Arrays of the elements that have tables of their own, their paths within an element.')
      .optional();
  },
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
  objectIdCollation: z
    .enum(objectIdCollations)
    .describe(
      'Collation of columns of the type objectId in tables that are created: C, or default for that of the database ' +
        '(default: OBJECT_ID_COLLATION).',
    )
    .optional(),
  columns: z
    .array(column)
    .describe(
      'The columns in their order. One has the path "_id", the primary key, unless "_id" is in drop. ' +
        'A field that has no column, and is not listed in drop, goes to the extra column.',
    ),
  constants: z
    .array(constant)
    .describe('Columns with the same value in every row, after all of columns.')
    .optional(),
  generated: z
    .array(generated)
    .describe('Columns that PostgreSQL computes, GENERATED ALWAYS AS (expression) STORED, after all others.')
    .optional(),
  transform: z
    .string()
    .describe(
      'A module whose function makes of each document what is copied, as TRANSFORM; seen from the folder of the plan.',
    )
    .optional(),
  extraColumn: z
    .string()
    .describe('The jsonb column that keeps what has no column or does not fit its own (default: _extra).')
    .optional(),
  keepsWhole: z
    .boolean()
    .describe('The extra column has every document whole, and not only what has no column.')
    .optional(),
  flatten,
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

/** The published JSON schema, for editors. */
export function createPlanFileSchema(): object {
  const { $schema, ...schema } = z.toJSONSchema(planFileSchema, { io: 'input' });
  return { $schema, title: 'A plan of mongo2pg', ...schema };
}
