/** Settings of the group *Plan*: which field goes to which column. */

import { jsonStyles } from '../../bson/json/json-style.ts';
import {
  defaultFlatten,
  layouts,
  objectIdCollations,
  objectIdStyles,
  scalarArrayStyles,
} from '../plan-choices.ts';
import { defaultNulPolicy, nulPolicies } from '../../bson/nul-policy.ts';
import { promoteOnly, startAndJoin, startAndPlan } from './commands.ts';
import type { OptionsOf } from './option.ts';

export const planOptions = {
  sampleSize: {
    env: 'SAMPLE_SIZE',
    kind: 'count',
    range: [1, 1_000_000],
    default: '',
    shown: '10000',
    describe:
      'Documents to sample when columns and types are inferred. A start samples 1000 first; if they are alike, no more.',
    commands: startAndPlan,
    group: 'Plan',
  },
  plan: {
    env: 'PLAN',
    kind: 'path',
    default: '',
    describe: 'Plan file that maps fields to columns. Without it, the plan is inferred.',
    commands: startAndJoin,
    group: 'Plan',
  },
  transform: {
    env: 'TRANSFORM',
    kind: 'path',
    default: '',
    describe:
      'Module whose default export turns each document into what is copied: a document, null (drop it), or several. `verify` and `retry` need it only if the file was moved.',
    commands: ['start', 'join', 'plan', 'verify', 'retry'],
    group: 'Plan',
  },
  schema: {
    env: 'PLAN_SCHEMA',
    flag: 'schema',
    kind: 'choice',
    choices: layouts,
    default: 'columns',
    describe:
      'Layout of an inferred plan: columns (one per field), relational (columns for embedded documents, child tables for arrays), or document (_id, and the whole document as jsonb).',
    commands: startAndPlan,
    group: 'Plan',
  },
  flatten: {
    env: 'FLATTEN',
    kind: 'count',
    range: [0, 20],
    default: '',
    describe: `Levels of embedded documents whose fields get columns of their own in an inferred plan (default: 0, with PLAN_SCHEMA=relational ${defaultFlatten}).`,
    commands: startAndPlan,
    group: 'Plan',
  },
  scalarArrays: {
    env: 'SCALAR_ARRAYS',
    kind: 'choice',
    choices: scalarArrayStyles,
    default: 'table',
    describe:
      'With PLAN_SCHEMA=relational, what arrays of scalars become: table (a child table) or array (an array of PostgreSQL).',
    commands: startAndPlan,
    group: 'Plan',
  },
  objectId: {
    env: 'OBJECT_ID',
    kind: 'choice',
    choices: objectIdStyles,
    default: 'text',
    describe: 'Type of ObjectIds in an inferred plan: text (24 hex digits) or bytea (12 bytes).',
    commands: startAndPlan,
    group: 'Plan',
  },
  objectIdCollation: {
    env: 'OBJECT_ID_COLLATION',
    kind: 'choice',
    choices: objectIdCollations,
    default: 'C',
    describe:
      'Collation of text columns for ObjectIds in new tables: C (compared by bytes, several times as fast), or default (that of the database).',
    commands: startAndPlan,
    group: 'Plan',
  },
  requiredNotNull: {
    env: 'REQUIRED_NOT_NULL',
    flag: 'required-not-null',
    kind: 'switch',
    default: '',
    describe:
      "Infer NOT NULL for fields that the collection's validator requires; a document without the value becomes a dead letter.",
    commands: startAndPlan,
    group: 'Plan',
  },
  jsonStyle: {
    env: 'JSON_STYLE',
    kind: 'choice',
    choices: jsonStyles,
    default: 'relaxed',
    describe:
      'Format of jsonb: relaxed or canonical Extended JSON, or plain (dates and ids as text; types are lost).',
    commands: startAndPlan,
    group: 'Plan',
  },
  nul: {
    env: 'NUL',
    kind: 'choice',
    choices: nulPolicies,
    default: defaultNulPolicy,
    describe:
      'How to handle U+0000 in text, which PostgreSQL cannot store: reject (the document becomes a dead letter), strip, or replace with U+FFFD.',
    commands: startAndPlan,
    group: 'Plan',
  },
  out: {
    env: 'PLAN_OUT',
    flag: 'out',
    kind: 'path',
    default: '',
    describe: 'File for the plan (default: standard output).',
    commands: ['plan'],
    group: 'Plan',
  },
  force: {
    env: 'PLAN_FORCE',
    flag: 'force',
    kind: 'switch',
    default: '',
    describe: 'Allow `plan` to overwrite an existing file.',
    commands: ['plan'],
    group: 'Plan',
  },
  table: {
    env: 'PROMOTE_TABLE',
    flag: 'table',
    kind: 'text',
    default: '',
    describe: 'Table of a finished run, with its schema or without; the first word after `promote`.',
    commands: promoteOnly,
    group: 'Plan',
  },
  field: {
    env: 'PROMOTE_FIELD',
    flag: 'field',
    kind: 'text',
    default: '',
    describe: 'Field in `_extra` that gets a column; the second word after `promote`.',
    commands: promoteOnly,
    group: 'Plan',
  },
  type: {
    env: 'PROMOTE_TYPE',
    flag: 'type',
    kind: 'text',
    default: '',
    describe: 'Type of the column, as plans name it (default: inferred from all values).',
    commands: promoteOnly,
    group: 'Plan',
  },
  column: {
    env: 'PROMOTE_COLUMN',
    flag: 'column',
    kind: 'text',
    default: '',
    describe: "Name of the column (default: the field's).",
    commands: promoteOnly,
    group: 'Plan',
  },
} as const satisfies OptionsOf<'Plan'>;
