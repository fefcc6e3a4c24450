/** The plans for following random documents with arrays. */

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Document } from 'mongodb';
import type { Expect } from './reassembled-tables.ts';

export interface FollowedShape {
  /** Of the command that follows. */
  readonly env: Readonly<Record<string, string>>;
  readonly expect: Expect;
}

export const shapeNames = ['relational', 'arrays of PostgreSQL', 'a plan of its own', 'a transform'] as const;

/**
 * @param folder for the files that it needs
 * @param table for the names of its child tables
 */
export async function makeShape(
  name: (typeof shapeNames)[number],
  folder: string,
  table: string,
): Promise<FollowedShape> {
  const expect: Expect = (document) => document;
  switch (name) {
    case 'relational':
      return { env: { PLAN_SCHEMA: 'relational' }, expect };
    case 'arrays of PostgreSQL':
      return { env: { PLAN_SCHEMA: 'relational', SCALAR_ARRAYS: 'array' }, expect };
    case 'a plan of its own': {
      const PLAN = join(folder, 'plan.json');
      await writeFile(PLAN, JSON.stringify(makeOwnPlan(table)));
      return { env: { PLAN }, expect };
    }
    case 'a transform': {
      const TRANSFORM = join(folder, 'transform.mjs');
      await writeFile(TRANSFORM, transformText);
      const module = (await import(pathToFileURL(TRANSFORM).href)) as { readonly default: Expect };
      // It may change its argument.
      return {
        env: { PLAN_SCHEMA: 'relational', TRANSFORM },
        expect: (document) => module.default({ ...document }),
      };
    }
  }
}

const column = (name: string, type: string, path: unknown = name): Document => ({ column: name, path, type });

/** With custom names for keys and places, an array without a table, and one within an embedded document that is only in columns. */
const makeOwnPlan = (table: string): Document => ({
  columns: [
    column('thing_no', 'int32', '_id'),
    column('n', 'int32'),
    column('customer_name', 'string', 'customer.name'),
    column('customer_city', 'string', 'customer.address.city'),
    { ...column('scores', 'int32'), array: true },
  ],
  flatten: ['customer', 'customer.address'],
  children: [
    {
      ...{
        path: 'lines',
        table: `${table}_own_lines`,
        parentColumn: 'order_no',
        ordinalColumn: 'line',
        keepEmpty: true,
      },
      columns: [column('sku', 'string'), column('from', 'json')],
      children: [
        {
          ...{ path: 'taxes', table: `${table}_own_taxes`, ordinalColumn: 'tax', keepEmpty: true },
          columns: [column('rate', 'int32')],
          children: [
            {
              path: 'parts',
              table: `${table}_own_parts`,
              keepEmpty: true,
              columns: [column('name', 'string')],
            },
          ],
        },
      ],
    },
    { path: 'tags', table: `${table}_own_tags`, keepEmpty: true, columns: [column('tag', 'string', [])] },
  ],
});

/** Drops some, fails for some, and changes arrays at two levels. */
const transformText = `export default (document) => {
  if (document.n % 9 === 0) return null;
  if (document.n % 50 === 1) throw new Error('not this one');
  const line = { sku: 'by the transform', taxes: [{ rate: document.n % 30 }, { rate: 1, of: document.text }] };
  const lines = Array.isArray(document.lines) ? [...document.lines, line] : document.lines;
  return { ...document, lines, text: 'seen ' + document.text };
};
`;
