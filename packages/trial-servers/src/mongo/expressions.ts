/**
 * Aggregation expressions, as far as a stage that reshapes documents commonly has them: constants, fields, `$literal`,
 * and objects and arrays of these. Any other operator is refused.
 */
import { findValue, readFields, readString } from '../../../../src/bson/raw-value.ts';
import { guessName } from '../../../../src/bson/cursor.ts';
import type { RawField, RawValue } from '../../../../src/bson/raw-value.ts';
import { bsonTypes } from '../../../../src/bson/types.ts';
import { CommandError, ErrorCode, notImplemented } from './errors.ts';
import { Tree } from './update/document-tree.ts';
import type { TreeValue } from './update/document-tree.ts';
import { encodeValue } from './update/values.ts';

/** The value for the document at `start`; undefined where it is missing. */
export type Expression = (bytes: Buffer, start: number) => TreeValue | undefined;

export function parseExpression(value: RawValue): Expression {
  switch (value.type) {
    case bsonTypes.string:
      return parseString(value);
    case bsonTypes.object:
      return parseObject(value);
    case bsonTypes.array: {
      const elements = Array.from(readFields(value.bytes, value.start), parseExpression);
      return (bytes, start) =>
        new Tree(
          true,
          elements.map((element) => ({ name: '', value: element(bytes, start) ?? encodeValue(null) })),
        );
    }
    default:
      return constant(value);
  }
}

function parseString(value: RawValue): Expression {
  const text = readString(value);
  if (text === '$$NOW') {
    return () => encodeValue(new Date());
  }
  if (text === '$$ROOT') {
    return (bytes, start) => Tree.readDocument(bytes, start);
  }
  if (text.startsWith('$$')) {
    throw notImplemented(`the variable ${text}`);
  }
  if (!text.startsWith('$')) {
    return constant(value);
  }
  const path = text.slice(1).split('.');
  if (path.includes('')) {
    throw new CommandError(15998, 'FieldPath field names may not be empty strings.');
  }
  const names = path.map(guessName);
  return (bytes, start) => {
    let found: RawValue = { type: bsonTypes.object, bytes, start, end: 0 };
    for (const name of names) {
      const next = found.type === bsonTypes.object ? findValue(found.bytes, found.start, name) : undefined;
      if (next === undefined) {
        return undefined;
      }
      found = next;
    }
    return found;
  };
}

function parseObject(value: RawValue): Expression {
  const fields = [...readFields(value.bytes, value.start)];
  const [first] = fields;
  if (first?.name.startsWith('$') === true) {
    if (fields.length > 1) {
      throw new CommandError(15983, 'An object representing an expression must have exactly one field');
    }
    if (first.name === '$literal') {
      return constant(first);
    }
    throw notImplemented(`the expression ${first.name}`);
  }
  const parts = fields.map((field) => ({ name: field.name, expression: parseExpression(field) }));
  return (bytes, start) => {
    const tree = new Tree(false);
    for (const { name, expression } of parts) {
      const result = expression(bytes, start);
      if (result !== undefined) {
        tree.fields.push({ name, value: unnamed(result) });
      }
    }
    return tree;
  };
}

function constant(value: RawValue): Expression {
  const kept = unnamed(copyValue(value));
  return () => kept;
}

/** A copy that outlives the command it is from. */
function copyValue({ type, bytes, start, end }: RawValue): RawValue {
  return { type, bytes: Buffer.from(bytes.subarray(start, end)), start: 0, end: end - start };
}

/** Fields come with the name they have; elsewhere they get another one. */
function unnamed(value: TreeValue): TreeValue {
  if (value instanceof Tree) {
    return value;
  }
  const { type, bytes, start, end } = value as RawField;
  return { type, bytes, start, end };
}

/** A value at each of several paths, `{'a.b': <expression>}`, as $set and $addFields have it. */
export function parseAssignments(spec: RawField): (root: Tree, bytes: Buffer, start: number) => void {
  if (spec.type !== bsonTypes.object) {
    throw new CommandError(40272, `${spec.name} specification stage must be an object`);
  }
  const assignments = Array.from(readFields(spec.bytes, spec.start), (field) => ({
    path: checkPath(field.name),
    expression: parseExpression(field),
  }));
  if (assignments.length === 0) {
    throw new CommandError(
      40177,
      `Invalid ${spec.name} :: caused by :: specification must have at least one field`,
    );
  }
  return (root, bytes, start) => {
    for (const { path, expression } of assignments) {
      assignAt(root, path, expression(bytes, start));
    }
  };
}

/** The paths that `$unset` names, in a string or several. */
export function parseUnset(spec: RawField): string[][] {
  const names =
    spec.type === bsonTypes.array
      ? [...readFields(spec.bytes, spec.start)].map(readPathName)
      : [readPathName(spec)];
  return names.map(checkPath);
}

export function removeAt(root: Tree, path: readonly string[]): void {
  let parent: Tree | undefined = root;
  for (const name of path.slice(0, -1)) {
    parent = parent?.isArray === false ? parent.open(name) : undefined;
  }
  if (parent?.isArray === false) {
    parent.remove(path.at(-1) ?? '');
  }
}

export function assignAt(root: Tree, path: readonly string[], value: TreeValue | undefined): void {
  let parent = root;
  for (const name of path.slice(0, -1)) {
    let child = parent.open(name);
    if (child?.isArray !== false) {
      child = new Tree(false);
      parent.set(name, child);
    }
    parent = child;
  }
  const name = path.at(-1) ?? '';
  if (value === undefined) {
    parent.remove(name);
  } else {
    parent.set(name, value);
  }
}

function readPathName(value: RawValue): string {
  if (value.type !== bsonTypes.string) {
    throw new CommandError(
      31120,
      '$unset specification must be a string or an array containing only string values',
    );
  }
  return readString(value);
}

function checkPath(text: string): string[] {
  const path = text.split('.');
  if (path.includes('')) {
    throw new CommandError(15998, 'FieldPath field names may not be empty strings.');
  }
  if (text.startsWith('$')) {
    throw new CommandError(ErrorCode.failedToParse, `FieldPath field names may not start with '$': ${text}`);
  }
  return path;
}
