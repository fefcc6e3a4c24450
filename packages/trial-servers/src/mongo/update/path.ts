/** Dotted paths into a document that is being changed. */
import { bsonTypes } from '../../../../../src/bson/types.ts';
import { CommandError, ErrorCode, notImplemented } from '../errors.ts';
import { Tree } from './document-tree.ts';
import type { TreeValue } from './document-tree.ts';

export type Path = readonly string[];

/** As mongod: an index this far behind the end would fill an array with nulls. */
const maxPadding = 1_500_000;

export function parsePath(text: string): Path {
  const path = text.split('.');
  if (path.includes('')) {
    throw new CommandError(
      ErrorCode.emptyFieldName,
      `The update path '${text}' contains an empty field name, which is not allowed.`,
    );
  }
  if (path.some((name) => name === '$' || name.startsWith('$['))) {
    throw notImplemented('positional operators in the path of an update');
  }
  return path;
}

/** Where a path leads: the object or array that has, or is to have, its last field. */
export interface Target {
  readonly parent: Tree;
  readonly name: string;
  readonly value: TreeValue | undefined;
  /** The part of the path that exists, or that is created first, which an event reports as set. */
  readonly changed: Path;
}

/** Undefined where there is nothing at the path, or nothing could be. */
export function findTarget(root: Tree, path: Path): Target | undefined {
  let parent = root;
  for (const [depth, name] of path.entries()) {
    if (parent.isArray && !isIndex(name)) {
      return undefined;
    }
    if (depth === path.length - 1) {
      const value = parent.get(name);
      return value === undefined ? undefined : { parent, name, value, changed: path };
    }
    const child = parent.open(name);
    if (child === undefined) {
      return undefined;
    }
    parent = child;
  }
  return undefined;
}

/** Makes the objects on the way. */
export function makeTarget(root: Tree, path: Path): Target {
  let parent = root;
  let changed: Path | undefined;
  for (const [depth, name] of path.entries()) {
    if (parent.isArray) {
      checkIndex(parent, name, path.slice(0, depth));
    }
    const value = parent.get(name);
    if (value === undefined) {
      changed ??= path.slice(0, depth + 1);
    }
    if (depth === path.length - 1) {
      return { parent, name, value, changed: changed ?? path };
    }
    let child = parent.open(name);
    if (child === undefined) {
      if (value !== undefined) {
        throw notViable(path[depth + 1] ?? '', path.slice(0, depth + 1));
      }
      child = new Tree(false);
      parent.set(name, child);
    }
    parent = child;
  }
  throw new CommandError(ErrorCode.badValue, 'an update path is empty');
}

/** The value at the path as it is now. */
export function readPath(root: Tree, path: Path): TreeValue | undefined {
  return findTarget(root, path)?.value;
}

export function isArray(value: TreeValue | undefined): boolean {
  return value instanceof Tree ? value.isArray : value?.type === bsonTypes.array;
}

function checkIndex(array: Tree, name: string, path: Path): void {
  if (!isIndex(name)) {
    throw notViable(name, path);
  }
  if (Number(name) > array.fields.length + maxPadding) {
    throw new CommandError(ErrorCode.cannotBackfillArray, "can't backfill more than 1500000 elements");
  }
}

function isIndex(name: string): boolean {
  return /^(0|[1-9]\d*)$/.test(name);
}

function notViable(name: string, path: Path): CommandError {
  return new CommandError(
    ErrorCode.pathNotViable,
    `Cannot create field '${name}' in element {${path.join('.')}}`,
  );
}
