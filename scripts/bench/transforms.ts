/** Transforms that change nothing, so that they cost what a transform costs, and make the same table. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Place } from './place.ts';

export const transformKinds = ['function', 'plan'] as const;
export type TransformKind = (typeof transformKinds)[number];

export const describeTransform: Readonly<Record<TransformKind, string>> = {
  function: 'a function for each document',
  plan: 'a default by the plan',
};

/** Each user has one. */
const userPlan = {
  columns: [
    { column: '_id', path: '_id', type: 'objectId' },
    { column: 'id', path: 'id', type: 'int32' },
    { column: 'username', path: 'username', type: 'string' },
    { column: 'email', path: 'email', type: 'string', default: '' },
    { column: 'age', path: 'age', type: 'int32' },
    { column: 'createdAt', path: 'createdAt', type: 'date' },
  ],
};

/** @returns the arguments of a start */
export function writeTransform({ folder }: Pick<Place, 'folder'>, kind: TransformKind): string[] {
  if (kind === 'plan') {
    const file = join(folder, 'transform.json');
    writeFileSync(file, JSON.stringify(userPlan));
    return ['--plan', file];
  }
  const file = join(folder, 'transform.mjs');
  writeFileSync(file, 'export default (document) => document;\n');
  return ['--transform', file];
}
