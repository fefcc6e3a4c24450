/** The update operators: each changes a document's tree and reports the paths. */
import { Timestamp } from 'bson';
import { readFields, readString } from '../../../../../src/bson/raw-value.ts';
import type { RawField, RawValue } from '../../../../../src/bson/raw-value.ts';
import { bsonTypes } from '../../../../../src/bson/types.ts';
import { decodeDocument } from '../decode.ts';
import { compareRaw, type TextOrder } from '../../../../../src/bson/match/compare.ts';
import { matchesDocument, parseFilter } from '../../../../../src/bson/match/filter.ts';
import { readAsDouble } from '../../../../../src/bson/match/numbers.ts';
import { isOperatorDocument, parseConditions } from '../../../../../src/bson/match/operators.ts';
import { CommandError, ErrorCode, notImplemented } from '../errors.ts';
import { isSameBytes, toRaw, Tree } from './document-tree.ts';
import type { TreeValue } from './document-tree.ts';
import { findTarget, isArray, makeTarget, parsePath } from './path.ts';
import type { Path, Target } from './path.ts';
import { calculate, encodeValue, isNumber } from './values.ts';

/** One operator at one path, such as `{$set: {a: 1}}`. */
export interface Modifier {
  readonly operator: string;
  readonly path: Path;
  /** Applies itself, and reports the paths that were set or removed. */
  apply(root: Tree, changed: (path: Path) => void): void;
}

/** @throws CommandError for an operand that the operator does not take */
export function parseModifier(operator: string, field: RawField, order: TextOrder): Modifier[] {
  const path = parsePath(field.name);
  if (operator === '$rename') {
    return parseRename(path, field);
  }
  const parse = operators[operator];
  if (parse === undefined) {
    throw unsupportedOperators.has(operator)
      ? notImplemented(`the update operator ${operator}`)
      : new CommandError(
          ErrorCode.failedToParse,
          `Unknown modifier: ${operator}. Expected a valid update modifier or pipeline-style update specified as an array`,
        );
  }
  return [{ operator, path, apply: parse(path, field, order) }];
}

type Apply = Modifier['apply'];

const unsupportedOperators = new Set(['$bit']);

const operators: Readonly<Record<string, (path: Path, operand: RawField, order: TextOrder) => Apply>> = {
  $set: (path, operand) => assign(path, () => operand),
  $setOnInsert: (path, operand) => assign(path, () => operand),
  $unset: (path) => unset(path),
  $inc: (path, operand) => arithmetic('$inc', path, operand),
  $mul: (path, operand) => arithmetic('$mul', path, operand),
  $min: (path, operand, order) => extreme(path, operand, -1, order),
  $max: (path, operand, order) => extreme(path, operand, 1, order),
  $currentDate: (path, operand) => {
    const isTimestamp = isTimestampWanted(operand);
    const now = (): unknown =>
      isTimestamp ? new Timestamp({ t: Math.floor(Date.now() / 1000), i: 1 }) : new Date();
    return assign(path, () => encodeValue(now()));
  },
  $push: push,
  $addToSet: addToSet,
  $pop: pop,
  $pull: (path, operand, order) => removeWhere(path, pullCondition(operand, order)),
  $pullAll: (path, operand, order) => {
    if (operand.type !== bsonTypes.array) {
      throw new CommandError(ErrorCode.badValue, '$pullAll requires an array argument');
    }
    const values = [...readFields(operand.bytes, operand.start)];
    return removeWhere(path, (value) => values.some((other) => compareRaw(value, other, order) === 0));
  },
};

function assign(path: Path, compute: (value: RawValue | undefined) => RawValue | undefined): Apply {
  return (root, changed) => {
    const found = findTarget(root, path);
    const old = found?.value === undefined ? undefined : toRaw(found.value);
    const value = compute(old);
    if (value === undefined || (old !== undefined && isSameBytes(old, value))) {
      return;
    }
    setAt(found ?? makeTarget(root, path), value, changed);
  };
}

function setAt(target: Target, value: TreeValue, changed: (path: Path) => void): void {
  target.parent.set(target.name, value);
  changed(target.changed);
}

function unset(path: Path): Apply {
  return (root, changed) => {
    const target = findTarget(root, path);
    if (target?.parent.remove(target.name) === true) {
      changed(path);
    }
  };
}

function arithmetic(operator: '$inc' | '$mul', path: Path, operand: RawField): Apply {
  if (!isNumber(operand)) {
    throw new CommandError(
      ErrorCode.typeMismatch,
      `Cannot ${operator === '$inc' ? 'increment' : 'multiply'} with non-numeric argument: {${operand.name}: ...}`,
    );
  }
  return assign(path, (old) => {
    if (old !== undefined && !isNumber(old)) {
      throw new CommandError(
        ErrorCode.typeMismatch,
        `Cannot apply ${operator} to a value of non-numeric type. The field '${path.join('.')}' is not a number`,
      );
    }
    const zero = { ...encodeValue(0) };
    return calculate(operator, old ?? zero, operand);
  });
}

function extreme(path: Path, operand: RawValue, sign: 1 | -1, order: TextOrder): Apply {
  return assign(path, (old) =>
    old === undefined || compareRaw(operand, old, order) * sign > 0 ? operand : undefined,
  );
}

function isTimestampWanted(operand: RawField): boolean {
  if (operand.type === bsonTypes.bool) {
    return false;
  }
  const spec: unknown = operand.type === bsonTypes.object ? decodeDocument(operand).$type : undefined;
  if (spec !== 'date' && spec !== 'timestamp') {
    throw new CommandError(
      ErrorCode.badValue,
      "The '$type' string field is required to be 'date' or 'timestamp': {$currentDate: {field : {$type: 'date'}}}",
    );
  }
  return spec === 'timestamp';
}

interface Push {
  readonly values: readonly RawValue[];
  readonly position: number | undefined;
  readonly slice: number | undefined;
}

function readPush(operand: RawField, isAddToSet: boolean): Push {
  const fields = operand.type === bsonTypes.object ? [...readFields(operand.bytes, operand.start)] : [];
  const each = fields.find(({ name }) => name === '$each');
  if (each === undefined) {
    return { values: [operand], position: undefined, slice: undefined };
  }
  if (each.type !== bsonTypes.array) {
    throw new CommandError(ErrorCode.typeMismatch, 'The argument to $each must be an array');
  }
  const readNumber = (name: string): number | undefined => {
    const field = fields.find((other) => other.name === name);
    return field && readAsDouble(field.type, field.bytes, field.start);
  };
  const unknown = fields.find(({ name }) => !['$each', '$position', '$slice'].includes(name));
  if (unknown !== undefined || (isAddToSet && fields.length > 1)) {
    throw notImplemented(
      `the modifier ${unknown?.name ?? 'of $each'} of ${isAddToSet ? '$addToSet' : '$push'}`,
    );
  }
  return {
    values: [...readFields(each.bytes, each.start)],
    position: readNumber('$position'),
    slice: readNumber('$slice'),
  };
}

function push(path: Path, operand: RawField): Apply {
  const { values, position, slice } = readPush(operand, false);
  return (root, changed) => {
    const { array, target, isNew } = openArray(root, path, '$push');
    const size = array.fields.length;
    const at =
      position === undefined ? size : position < 0 ? Math.max(0, size + position) : Math.min(position, size);
    array.fields.splice(at, 0, ...values.map((value) => ({ name: '', value })));
    if (slice !== undefined) {
      array.fields.splice(
        0,
        array.fields.length,
        ...(slice < 0 ? array.fields.slice(slice) : array.fields.slice(0, slice)),
      );
    }
    reportAdded(array, target, { isNew, isAppended: at === size && slice === undefined, size }, changed);
  };
}

function addToSet(path: Path, operand: RawField, order: TextOrder): Apply {
  const { values } = readPush(operand, true);
  return (root, changed) => {
    const { array, target, isNew } = openArray(root, path, '$addToSet');
    const size = array.fields.length;
    for (const value of values) {
      if (!array.fields.some((field) => compareRaw(toRaw(field.value), value, order) === 0)) {
        array.fields.push({ name: '', value });
      }
    }
    reportAdded(array, target, { isNew, isAppended: true, size }, changed);
  };
}

/** Appended elements are reported one by one, anything else as the whole array. */
function reportAdded(
  array: Tree,
  target: Target,
  { isNew, isAppended, size }: { isNew: boolean; isAppended: boolean; size: number },
  changed: (path: Path) => void,
): void {
  if (isNew || !isAppended) {
    changed(target.changed);
    return;
  }
  for (let index = size; index < array.fields.length; index++) {
    changed([...target.changed, String(index)]);
  }
}

function openArray(
  root: Tree,
  path: Path,
  operator: string,
): { array: Tree; target: Target; isNew: boolean } {
  const target = findTarget(root, path) ?? makeTarget(root, path);
  if (target.value !== undefined && !isArray(target.value)) {
    throw new CommandError(
      ErrorCode.badValue,
      `The field '${path.join('.')}' must be an array but is of another type: ${operator} cannot be applied`,
    );
  }
  const array = target.parent.open(target.name);
  if (array !== undefined) {
    return { array, target, isNew: false };
  }
  const made = new Tree(true);
  target.parent.set(target.name, made);
  return { array: made, target, isNew: true };
}

function pop(path: Path, operand: RawField): Apply {
  const end = isNumber(operand) ? readAsDouble(operand.type, operand.bytes, operand.start) : 0;
  if (end !== 1 && end !== -1) {
    throw new CommandError(ErrorCode.failedToParse, `$pop expects 1 or -1, found: ${end}`);
  }
  return changeArray(path, '$pop', (array) => {
    array.fields.splice(end === 1 ? -1 : 0, 1);
  });
}

function removeWhere(path: Path, isUnwanted: (value: RawValue) => boolean): Apply {
  return changeArray(path, '$pull', (array) => {
    array.fields.splice(
      0,
      array.fields.length,
      ...array.fields.filter(({ value }) => !isUnwanted(toRaw(value))),
    );
  });
}

function changeArray(path: Path, operator: string, change: (array: Tree) => void): Apply {
  return (root, changed) => {
    const target = findTarget(root, path);
    if (target === undefined) {
      return;
    }
    const { array } = openArray(root, path, operator);
    const size = array.fields.length;
    change(array);
    if (array.fields.length !== size) {
      changed(path);
    }
  };
}

/** An object is a filter of elements that are objects; operators and other values are conditions on each element. */
function pullCondition(operand: RawField, order: TextOrder): (value: RawValue) => boolean {
  if (operand.type === bsonTypes.object && !isOperatorDocument(operand)) {
    const filter = parseFilter(operand.bytes, operand.start, order);
    return (value) => value.type === bsonTypes.object && matchesDocument(filter, value.bytes, value.start);
  }
  const conditions = parseConditions('', operand, order);
  return (value) => conditions.every(({ matches, isNegated }) => matches(value) !== isNegated);
}

function parseRename(from: Path, field: RawField): Modifier[] {
  if (field.type !== bsonTypes.string) {
    throw new CommandError(ErrorCode.badValue, `The 'to' field for $rename must be a string: ${field.name}`);
  }
  const to = parsePath(readString(field));
  let moved: TreeValue | undefined;
  return [
    {
      operator: '$rename',
      path: from,
      apply(root, changed) {
        const source = findTarget(root, from);
        moved = source?.value;
        if (source?.parent.remove(source.name) === true) {
          changed(from);
        }
      },
    },
    {
      operator: '$rename',
      path: to,
      apply(root, changed) {
        if (moved !== undefined) {
          setAt(findTarget(root, to) ?? makeTarget(root, to), moved, changed);
        }
      },
    },
  ];
}
