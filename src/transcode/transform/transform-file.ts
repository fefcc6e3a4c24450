/** Loads the module of a transform, and checks its hash. */

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { promisify, types } from 'node:util';
import { UsageError } from '../../common/errors.ts';
import type { TransformFile } from '../plan.ts';
import type { MigrationTransform } from './migration-transform.ts';

/** A module whose top level awaits for longer counts as endless. */
const maxLoadMs = 30_000;

/** @throws UsageError if the file is not a transform */
export async function openTransform(file: string): Promise<TransformFile> {
  const transform = { file, hash: await hashFile(file) };
  await importTransform(transform);
  return transform;
}

/** @throws UsageError if the file is not a transform, or has changed */
export async function loadTransform(transform: TransformFile): Promise<MigrationTransform> {
  await requireUnchanged(transform);
  return await importTransform(transform);
}

/** @throws UsageError */
export async function requireUnchanged({ file, hash }: TransformFile): Promise<void> {
  if ((await hashFile(file)) === hash) return;
  throw new UsageError(`the transform ${file} is not the one that the run was begun with`, {
    code: 'TRANSFORM_CHANGED',
    fix: 'restore the file as it was, or start from scratch with --restart.',
  });
}

async function hashFile(file: string): Promise<string> {
  try {
    return createHash('sha256')
      .update(await readFile(file))
      .digest('hex');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new UsageError(`the transform ${file} cannot be read (${code})`, {
      code: 'TRANSFORM_UNREADABLE',
      fix: 'correct TRANSFORM, or the path in the plan; the file is needed wherever the command runs.',
      cause: error,
    });
  }
}

async function importTransform({ file, hash }: TransformFile): Promise<MigrationTransform> {
  // The query makes a long-lived process, such as one that uses the library, load changed content again.
  const url = `${pathToFileURL(file).href}?${queryOf(hash)}`;
  let module: Readonly<Record<string, unknown>>;
  try {
    module = await withinLimit(import(url) as Promise<Readonly<Record<string, unknown>>>);
  } catch (error) {
    const place = error instanceof SyntaxError ? await findSyntaxError(file) : '';
    throw new UsageError(`the transform ${file} cannot be loaded: ${describeThrown(error)}${place}`, {
      code: 'TRANSFORM_INVALID',
      fix: 'correct it; docs/transforms.md shows what a transform is.',
      cause: error,
    });
  }
  return requireFunction(file, module);
}

const queryOf = (hash: string): string => `mongo2pg=${hash.slice(0, 16)}`;

function requireFunction(file: string, module: Readonly<Record<string, unknown>>): MigrationTransform {
  const fix = 'write: export default (document, context) => document';
  if (!('default' in module)) {
    const message = `the transform ${file} has no default export`;
    throw new UsageError(message, { code: 'TRANSFORM_NO_DEFAULT', fix });
  }
  const exported = module.default;
  if (typeof exported !== 'function' || types.isGeneratorFunction(exported)) {
    const kind = typeof exported === 'function' ? 'a generator' : `of the type ${typeof exported}`;
    const message = `the default export of the transform ${file} is ${kind}, not a function`;
    throw new UsageError(message, { code: 'TRANSFORM_NO_FUNCTION', fix });
  }
  if (types.isAsyncFunction(exported)) {
    throw new UsageError(`the transform ${file} is asynchronous`, {
      code: 'TRANSFORM_ASYNC',
      fix: 'return documents, not a promise: load lookup data when the module is loaded.',
    });
  }
  return exported as MigrationTransform;
}

async function withinLimit<T>(loading: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(reject, maxLoadMs, new Error(`it is not loaded after ${maxLoadMs / 1000} s`));
  });
  try {
    return await Promise.race([loading, late]);
  } finally {
    clearTimeout(timer);
  }
}

function describeThrown(thrown: unknown): string {
  return thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
}

/** Node reports the line of a syntax error only when it prints the error itself. @returns an empty text if it does not */
async function findSyntaxError(file: string): Promise<string> {
  try {
    await promisify(execFile)(process.execPath, ['--check', file], { timeout: maxLoadMs });
    return '';
  } catch (error) {
    const { stderr = '' } = error as { readonly stderr?: string };
    const [place = ''] = stderr.split('\n');
    return /:\d+$/.test(place) ? ` (${place})` : '';
  }
}

/** The stack trace of an error in a transform, without the frames below it. */
export function showStack({ stack = '' }: Error): string {
  return stack.replaceAll(/\?mongo2pg=[0-9a-f]{16}/g, '');
}
