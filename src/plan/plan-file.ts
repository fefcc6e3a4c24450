/** The plan as a file that people read and change: its shape, its published schema, and how it is read. */

import { readFile } from 'node:fs/promises';
import { closest } from 'fastest-levenshtein';
import { z } from 'zod';
import { UsageError } from '../errors.ts';
import { parseJson } from '../json-text.ts';
import { findMistakes } from './plan-checks.ts';
import { type ColumnType, columnTypes, jsonStyles, nulPolicies } from './plan.ts';
import { invoke } from '../invocation.ts';

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

const planFile = z.strictObject({
  $schema: z.string().describe('For editors; not read.').optional(),
  collection: z.string().describe('What the plan was made for. For people; not read.').optional(),
  sampled: z.string().describe('What the plan was inferred from. For people; not read.').optional(),
  schema: z.string().describe('Schema of the table (default: POSTGRES_SCHEMA).').optional(),
  table: z.string().describe("The table's name (default: the collection's).").optional(),
  jsonStyle: z
    .enum(jsonStyles)
    .describe('How jsonb is written (default: JSON_STYLE); _id is always canonical.')
    .optional(),
  nul: z
    .enum(nulPolicies)
    .describe('What becomes of a document with U+0000 in a text (default: NUL).')
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
      'Top-level fields that are left out on purpose; each value is counted in the summary. ' +
        '"_id" only for a table that is there already, with a key of its own.',
    )
    .optional(),
  nested: z
    .array(nested)
    .describe(
      'Fields of embedded documents. For people; not read: copy an entry to columns, with a name, to give it a column.',
    )
    .optional(),
});

export type PlanFile = z.infer<typeof planFile>;
export type PlanFileColumn = z.infer<typeof column>;
export type PlanFileChild = z.infer<typeof child>;
export type PlanFileNested = z.infer<typeof nested>;

/** @throws UsageError with the place of each mistake */
export async function readPlanFile(file: string): Promise<PlanFile> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new UsageError(`the plan ${file} cannot be read (${code})`, {
      code: 'PLAN_UNREADABLE',
      fix: `correct PLAN, or write a plan with: ${invoke('plan', '--out plan.json')}`,
      cause: error,
    });
  }
  // Some editors on Windows begin a file with a byte order mark.
  return checkPlanFile(parseJson(text.replace(/^\ufeff/, ''), `the plan ${file}`), file);
}

/**
 * @param value the parsed JSON
 * @throws UsageError with the place of each mistake
 */
export function checkPlanFile(value: unknown, file: string): PlanFile {
  const result = planFile.safeParse(value, { error: explainIssue });
  const mistakes = result.success
    ? findMistakes(result.data)
    : result.error.issues.map(({ path, message }) => `${formatPlace(path)}: ${message}`);
  if (result.success && mistakes.length === 0) return result.data;
  const shown = mistakes.slice(0, maxShown).join('; ');
  const more = mistakes.length > maxShown ? `; and ${mistakes.length - maxShown} more` : '';
  throw new UsageError(`the plan ${file} is not valid: ${shown}${more}`, {
    code: 'PLAN_INVALID',
    fix: 'correct it; docs/plan.md shows what a plan may say.',
  });
}

/** So many mistakes at once are a help, and more are not. */
const maxShown = 3;

/** The schema that editors use, from the same source as the check. */
export function createPlanFileSchema(): object {
  const { $schema, ...schema } = z.toJSONSchema(planFile, { io: 'input' });
  return { $schema, title: 'A plan of mongo2pg', ...schema };
}

/** `columns[3].type` */
function formatPlace(path: readonly PropertyKey[]): string {
  const place = path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('');
  return place.replace(/^\./, '') || 'the plan';
}

function explainIssue(issue: z.core.$ZodRawIssue): string {
  const { code, input } = issue;
  if (code === 'unrecognized_keys') {
    const known = issue.inst instanceof z.ZodObject ? Object.keys(issue.inst.shape) : [];
    const meant = issue.keys.map((key) => {
      return `${JSON.stringify(key)} is not known here; did you mean ${JSON.stringify(closest(key, known))}?`;
    });
    return meant.join(' ');
  }
  if (input === undefined) return 'is missing';
  if (code === 'invalid_value') return `must be one of ${issue.values.join(', ')}, not ${show(input)}`;
  if (code === 'invalid_union') return `must be a name or a list of names, not ${show(input)}`;
  if (code === 'invalid_type')
    return `must be ${kindNames[issue.expected] ?? issue.expected}, not ${show(input)}`;
  if (code === 'too_small' && issue.origin === 'array') return 'must not be empty';
  if (code === 'too_small' || code === 'too_big') return `must be a number from 0 to 255, not ${show(input)}`;
  return `is not as it should be: ${show(input)}`;
}

const kindNames: Partial<Record<string, string>> = {
  string: 'a text',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  number: 'a number',
  int: 'a whole number',
};

function show(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
