/** Reads and checks a plan file. */

import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { closest } from 'fastest-levenshtein';
import { z } from 'zod';
import { UsageError } from '../../common/errors.ts';
import { parseJson } from '../../common/json-text.ts';
import { findMistakes } from './plan-checks.ts';
import { planFileSchema, type PlanFile } from './plan-schema.ts';
import { invoke } from '../../config/invocation.ts';

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
  const plan = checkPlanFile(parseJson(text.replace(/^\ufeff/, ''), `the plan ${file}`), file);
  return plan.transform === undefined ? plan : { ...plan, transform: resolve(dirname(file), plan.transform) };
}

/**
 * @param value the parsed JSON
 * @throws UsageError with the place of each mistake
 */
export function checkPlanFile(value: unknown, file: string): PlanFile {
  const result = planFileSchema.safeParse(value, { error: explainIssue });
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

/** More mistakes at once would not help. */
const maxShown = 3;

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
      return `${JSON.stringify(key)} is not a known key; did you mean ${JSON.stringify(closest(key, known))}?`;
    });
    return meant.join(' ');
  }
  if (input === undefined) return 'is missing';
  if (code === 'invalid_value') return `must be one of ${issue.values.join(', ')}, not ${show(input)}`;
  if (code === 'invalid_union') return `must be a name or a list of names, not ${show(input)}`;
  if (code === 'invalid_type') {
    return `must be ${kindNames[issue.expected] ?? issue.expected}, not ${show(input)}`;
  }
  if (code === 'too_small' && issue.origin === 'array') return 'must not be empty';
  if (code === 'too_small' || code === 'too_big') return `must be a number from 0 to 255, not ${show(input)}`;
  return `is not valid: ${show(input)}`;
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
