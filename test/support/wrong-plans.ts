/** Plans with a mistake, and the error of each. */

/** Must not be printed. */
export const password = 'hunt3r-2';

export const longName = 'n'.repeat(64);
export const secretUrls = [
  `mongodb://user:${password}@host/db`,
  `postgres://user:${password}@host:5432/db`,
  // As a normalized path.
  `postgres:/user:${password}@host/db`,
] as const;

const idColumn = { column: '_id', path: '_id', type: 'int32' };
const textColumn = { column: 'a', path: 'a', type: 'string' };
const child = { path: 'lines', table: 'lines', columns: [] };

/** The error of each of `wrongPlans`, with its place. */
export const planMistakes: Readonly<Record<keyof typeof wrongPlans, RegExp>> = {
  list: /the plan: must be an object, not \[\]/,
  nothing: /columns: is missing/,
  number: /the plan: must be an object, not 5/,
  'unknown-key': /the plan: "colums" is not a known key; did you mean "columns"\?/,
  'columns-no-list': /columns: must be a list, not \{\}/,
  'unknown-type': /columns\[0\]\.type: must be one of objectId, .*, not "varchar"/,
  'no-id': /columns: one must have the path "_id"/,
  'column-twice': /columns\[2\]\.column: "a" is the name in columns\[1\]\.column already/,
  'path-twice': /columns\[2\]\.path: "a" is in columns\[1\]\.path already/,
  'empty-name': /columns\[0\]\.column: a name in Postgres is not empty/,
  'long-name': /columns\[0\]\.column: "n+" has 64 bytes/,
  'nul-name': /columns\[0\]\.column: a name in Postgres has no U\+0000/,
  'system-column': /columns\[0\]\.column: every table in Postgres has a "xmin"/,
  'long-schema': /schema: "n+" has 64 bytes/,
  'schema-of-postgres': /schema: pg_mine belongs to PostgreSQL/,
  'url-schema': /schema: a URL is no name/,
  'url-table': /table: a URL is no name/,
  'too-many-columns': /columns: 1601 and the extra column are more than the 1600/,
  'subtype-of-text': /columns\[1\]\.subtype: only a column of the type binary/,
  'subtype-300': /columns\[1\]\.subtype: must be a number from 0 to 255, not 300/,
  'key-nullable': /columns\[0\]\.notNull: the primary key is NOT NULL/,
  'dropped-column': /drop\[0\]: "a" has a column, columns\[1\]/,
  'child-with-the-name-of-its-parent': /children\[0\]\.table: "lines" is the name in table already/,
  'child-with-the-name-of-the-collection': /children\[0\]\.table: /,
  'child-twice': /children\[1\]\.table: "lines" is the name in children\[0\]\.table already/,
  'child-in-child': /children\[1\]\.path: "lines\.parts" is inside of the elements of children\[0\]/,
  'children-too-deep':
    /children\[0\](\.children\[0\]){31}: the key would have 33 columns, and one in Postgres has at most 32/,
  'child-of-the-whole': /children: with keepsWhole/,
};

/** Each is valid JSON, and not a valid plan. */
export const wrongPlans = {
  list: [],
  nothing: {},
  number: 5,
  'unknown-key': { columns: [idColumn], colums: [] },
  'columns-no-list': { columns: {} },
  'unknown-type': { columns: [{ ...idColumn, type: 'varchar' }] },
  'no-id': { columns: [textColumn] },
  'column-twice': { columns: [idColumn, textColumn, { ...textColumn, path: 'b' }] },
  'path-twice': { columns: [idColumn, textColumn, { ...textColumn, column: 'b' }] },
  'empty-name': { columns: [{ ...idColumn, column: '' }] },
  'long-name': { columns: [{ ...idColumn, column: longName }] },
  'nul-name': { columns: [{ ...idColumn, column: 'a\0' }] },
  'system-column': { columns: [{ ...idColumn, column: 'xmin' }] },
  'long-schema': { schema: longName, columns: [idColumn] },
  'schema-of-postgres': { schema: 'pg_mine', columns: [idColumn] },
  'url-schema': { schema: secretUrls[1], columns: [idColumn] },
  'url-table': { table: secretUrls[0], columns: [idColumn] },
  'too-many-columns': {
    columns: [
      idColumn,
      ...Array.from({ length: 1600 }, (_, n) => ({ ...textColumn, column: `c${n}`, path: `p${n}` })),
    ],
  },
  'subtype-of-text': { columns: [idColumn, { ...textColumn, subtype: 3 }] },
  'subtype-300': { columns: [idColumn, { ...textColumn, type: 'binary', subtype: 300 }] },
  'key-nullable': { columns: [{ ...idColumn, notNull: false }] },
  'dropped-column': { columns: [idColumn, textColumn], drop: ['a'] },
  'child-with-the-name-of-its-parent': { table: 'lines', columns: [idColumn], children: [child] },
  'child-with-the-name-of-the-collection': { columns: [idColumn], children: [{ ...child, table: 'users' }] },
  'child-twice': { columns: [idColumn], children: [child, { ...child, path: 'parcels' }] },
  'child-in-child': {
    columns: [idColumn],
    children: [child, { ...child, path: 'lines.parts', table: 'parts' }],
  },
  'children-too-deep': { columns: [idColumn], children: [nestChildren(32)] },
  'child-of-the-whole': { columns: [idColumn], children: [child], keepsWhole: true },
};

/** Child tables inside of each other. */
function nestChildren(levels: number): object {
  const inner = levels === 1 ? {} : { children: [nestChildren(levels - 1)] };
  const names = { table: `level_${levels}`, ordinalColumn: `ordinal_${levels}` };
  return { path: 'in', ...names, columns: [], ...inner };
}
