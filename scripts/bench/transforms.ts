/**
 * Transforms of users. Those that change nothing show the cost of a transform itself, and make the same table as a copy without. The
 * others do in a plan and in code what people do: their tables are equal to each other.
 */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Place } from './place.ts';

export const transformKinds = ['default', 'steps', 'function', 'function-steps'] as const;
export type TransformKind = (typeof transformKinds)[number];

interface Transform {
  readonly text: string;
  /** Whether the table differs from that of a copy without. */
  readonly isChanged: boolean;
  /** Arguments of a start. */
  write(folder: string): string[];
}

const salt = 'pepper';

const columns = [
  { column: '_id', path: '_id', type: 'objectId' },
  { column: 'id', path: 'id', type: 'int32' },
  { column: 'username', path: 'username', type: 'string' },
  { column: 'email', path: 'email', type: 'string' },
  { column: 'age', path: 'age', type: 'int32' },
  { column: 'createdAt', path: 'createdAt', type: 'date' },
];

/** Each user has an email, so that the default is never used. */
const withDefault = columns.map((column) =>
  column.column === 'email' ? { ...column, default: '' } : column,
);

const steps: Readonly<Record<string, object>> = {
  username: { lowercase: true },
  email: { mask: 'sha256', salt },
  age: { column: 'years' },
};

const withSteps = columns.map((column) => ({ ...column, ...steps[column.column] }));

const stepsInCode = `
import { createHash } from 'node:crypto';

export default ({ age, ...user }) => ({
  ...user,
  username: user.username.toLowerCase(),
  email: createHash('sha256').update('${salt}').update(user.email).digest('hex'),
  years: age,
});
`;

const transforms: Readonly<Record<TransformKind, Transform>> = {
  default: {
    text: 'plan: a default that no user needs',
    isChanged: false,
    write: (folder) => writePlan(folder, withDefault),
  },
  steps: {
    text: 'plan: sha256, lowercase, rename',
    isChanged: true,
    write: (folder) => writePlan(folder, withSteps),
  },
  function: {
    text: '--transform: returns the document',
    isChanged: false,
    write: (folder) => writeModule(folder, 'export default (document) => document;\n'),
  },
  'function-steps': {
    text: '--transform: sha256, lowercase, rename',
    isChanged: true,
    write: (folder) => writeModule(folder, stepsInCode),
  },
};

export function describeTransform(kind: TransformKind): string {
  return transforms[kind].text;
}

export function changesTable(kind: TransformKind): boolean {
  return transforms[kind].isChanged;
}

/** @returns the arguments of a start */
export function writeTransform({ folder }: Pick<Place, 'folder'>, kind: TransformKind): string[] {
  return transforms[kind].write(folder);
}

function writePlan(folder: string, planned: readonly object[]): string[] {
  const file = join(folder, 'transform.json');
  writeFileSync(file, JSON.stringify({ columns: planned }));
  return ['--plan', file];
}

function writeModule(folder: string, text: string): string[] {
  const file = join(folder, 'transform.mjs');
  writeFileSync(file, text);
  return ['--transform', file];
}
