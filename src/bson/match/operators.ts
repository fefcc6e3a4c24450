/** The query operators on one field: what each matches, and which intervals of the `_id` index it needs. */
import { type RawField, type RawValue, readFields } from '../raw-value.ts';
import { bsonTypes, rankOf, typeRanks } from '../types.ts';
import { byBytes, compareRaw, type TextOrder } from './compare.ts';
import { QueryError, QueryErrorCode, UnsupportedError } from './errors.ts';
import { after, allIds, before, endOfRank, startOfRank, unite } from './id-bounds.ts';
import type { Interval } from './id-bounds.ts';
import { uncovered } from './condition.ts';
import type { Condition } from './condition.ts';
import { matchRegex, readRegex, readRegexOperator } from './regex.ts';
import { readAsDouble } from './numbers.ts';
import { parseTypes } from './type-names.ts';

/** Operators of mongod that are not supported here. */
const unsupportedOperators = new Set(
  (
    '$mod $all $bitsAllClear $bitsAllSet $bitsAnyClear $bitsAnySet $geoIntersects $geoWithin $near $nearSphere ' +
    '$within $geoNear $minDistance $maxDistance $box $center $centerSphere $polygon'
  ).split(' '),
);

/**
 * Parses the condition on a field: a value to equal, a regular expression, or operators.
 * @param order the collation of strings
 */
export function parseConditions(path: string, value: RawValue, order: TextOrder = byBytes): Condition[] {
  if (value.type === bsonTypes.regex) {
    return [matchRegex(readRegex(value))];
  }
  if (!isOperatorDocument(value)) {
    return [equalTo(value, order)];
  }
  const fields = [...readFields(value.bytes, value.start)];
  return fields.flatMap((field) => parseOperator(path, field, fields, order) ?? []);
}

/** An object whose first field starts with `$`, unless it is a DBRef. */
export function isOperatorDocument(value: RawValue): boolean {
  if (value.type !== bsonTypes.object) {
    return false;
  }
  const first = readFields(value.bytes, value.start).next();
  return first.done !== true && first.value.name.startsWith('$') && !dbRefFields.has(first.value.name);
}

const dbRefFields = new Set(['$ref', '$id', '$db']);

function parseOperator(
  path: string,
  field: RawField,
  siblings: readonly RawField[],
  order: TextOrder,
): Condition | undefined {
  switch (field.name) {
    case '$eq':
      return equalTo(refuseUndefined(field), order);
    case '$ne':
      refuseRegex(field, `Can't have regex as arg to $ne.`);
      return negate(equalTo(refuseUndefined(field), order));
    case '$gt':
    case '$gte':
    case '$lt':
    case '$lte':
      refuseRegex(field, `Can't have RegEx as arg to predicate over field '${path}'.`);
      return compareTo(field.name, refuseUndefined(field), order);
    case '$in':
      return includedIn(readList(field), order);
    case '$nin':
      return negate(includedIn(readList(field), order));
    case '$exists':
      return exists(isTruthy(field));
    case '$type':
      return ofTypes(parseTypes(path, field));
    case '$size':
      return ofSize(field);
    case '$regex':
      return matchRegex(readRegexOperator(field, siblings));
    case '$options':
      if (!siblings.some((sibling) => sibling.name === '$regex')) {
        throw new QueryError(QueryErrorCode.badValue, '$options needs a $regex');
      }
      return undefined;
    case '$not':
      return not(path, field, order);
    case '$elemMatch':
      throw new UnsupportedError('the operator $elemMatch');
    default:
      throw unsupportedOperators.has(field.name)
        ? new UnsupportedError(`the operator ${field.name}`)
        : new QueryError(QueryErrorCode.badValue, `unknown operator: ${field.name}`);
  }
}

function equalTo(operand: RawValue, order: TextOrder): Condition {
  const isNull = operand.type === bsonTypes.null;
  return {
    matches: (value) =>
      compareRaw(value, operand, order) === 0 || (isNull && value.type === bsonTypes.undefined),
    matchesMissing: isNull,
    isForElements: true,
    isNegated: false,
    idIntervals: [{ low: before(operand, order), high: after(operand, order) }],
    isCoveredByIntervals: true,
  };
}

/** Matches values of the operand's bracket of types only; but with MinKey and MaxKey, values of any type. */
function compareTo(name: '$gt' | '$gte' | '$lt' | '$lte', operand: RawValue, order: TextOrder): Condition {
  const idIntervals = findRange(name, operand, order);
  const isGreater = name === '$gt' || name === '$gte';
  const isEqualIncluded = name === '$gte' || name === '$lte';
  const rank = rankOf(operand.type);
  const isNull = operand.type === bsonTypes.null;
  const isUnbracketed = operand.type === (isGreater ? bsonTypes.minKey : bsonTypes.maxKey);
  const isOperandNaN = isNaNValue(operand);
  return {
    matches(value) {
      if (rankOf(value.type) !== rank) {
        return isUnbracketed || (isNull && isEqualIncluded && value.type === bsonTypes.undefined);
      }
      const difference = compareRaw(value, operand, order);
      if (difference === 0) {
        return isEqualIncluded;
      }
      return !isOperandNaN && !isNaNValue(value) && difference > 0 === isGreater;
    },
    matchesMissing: isNull && isEqualIncluded,
    isForElements: true,
    isNegated: false,
    idIntervals,
    isCoveredByIntervals: true,
  };
}

function findRange(name: '$gt' | '$gte' | '$lt' | '$lte', operand: RawValue, order: TextOrder): Interval[] {
  const isGreater = name === '$gt' || name === '$gte';
  const near = name === '$gte' || name === '$lt' ? before(operand, order) : after(operand, order);
  const rank = rankOf(operand.type);
  if (operand.type === (isGreater ? bsonTypes.minKey : bsonTypes.maxKey)) {
    return isGreater ? [{ low: near, high: endOfRank(255) }] : [{ low: startOfRank(0), high: near }];
  }
  if (isNaNValue(operand)) {
    // NaN is equal to itself, and neither less nor greater than any number.
    return name === '$gte' || name === '$lte' ? [{ low: before(operand), high: after(operand) }] : [];
  }
  if (isGreater) {
    return [{ low: near, high: endOfRank(rank) }];
  }
  const isNumber = rank === rankOf(bsonTypes.double);
  return [{ low: isNumber ? after(nan) : startOfRank(rank), high: near }];
}

function includedIn(operands: readonly RawValue[], order: TextOrder): Condition {
  const conditions = operands.map((operand) =>
    operand.type === bsonTypes.regex ? matchRegex(readRegex(operand)) : equalTo(operand, order),
  );
  return {
    matches: (value) => conditions.some((condition) => condition.matches(value)),
    matchesMissing: conditions.some((condition) => condition.matchesMissing),
    isForElements: true,
    isNegated: false,
    idIntervals: unite(conditions.flatMap((condition) => condition.idIntervals)),
    isCoveredByIntervals: conditions.every((condition) => condition.isCoveredByIntervals),
  };
}

/** `false` is the negation of `true` over all values of a path: none exists. */
function exists(isWanted: boolean): Condition {
  const isThere: Condition = { ...uncovered, matches: () => true, isForElements: false };
  return isWanted ? isThere : negate(isThere);
}

function ofTypes(types: ReadonlySet<number>): Condition {
  const rankSet = new Set(Array.from(types, rankOf));
  const areRanksComplete = typeRanks.every(
    (rank, type) => rank === 0 || !rankSet.has(rank) || types.has(type),
  );
  return {
    matches: (value) => types.has(value.type),
    matchesMissing: false,
    isForElements: true,
    isNegated: false,
    idIntervals: unite(Array.from(rankSet, (rank) => ({ low: startOfRank(rank), high: endOfRank(rank) }))),
    isCoveredByIntervals: areRanksComplete,
  };
}

function ofSize(field: RawField): Condition {
  const isNumber = rankOf(field.type) === rankOf(bsonTypes.int);
  const size = isNumber ? readAsDouble(field.type, field.bytes, field.start) : -1;
  if (!Number.isInteger(size) || size < 0) {
    throw new QueryError(QueryErrorCode.badValue, 'Failed to parse $size. Expected a non-negative integer');
  }
  return {
    ...uncovered,
    matches: (value) =>
      value.type === bsonTypes.array && [...readFields(value.bytes, value.start)].length === size,
    isForElements: false,
  };
}

function not(path: string, field: RawField, order: TextOrder): Condition {
  if (field.type === bsonTypes.regex) {
    return negate(matchRegex(readRegex(field)));
  }
  if (field.type !== bsonTypes.object) {
    throw new QueryError(QueryErrorCode.badValue, '$not needs a regex or a document');
  }
  const inner = isOperatorDocument(field) ? parseConditions(path, field, order) : [];
  const [only] = inner;
  if (only === undefined) {
    throw new QueryError(QueryErrorCode.badValue, '$not cannot be empty');
  }
  if (inner.length > 1) {
    throw new UnsupportedError('$not of several operators');
  }
  return negate(only);
}

function negate(condition: Condition): Condition {
  return { ...condition, isNegated: !condition.isNegated, idIntervals: allIds, isCoveredByIntervals: false };
}

function readList(field: RawField): RawValue[] {
  if (field.type !== bsonTypes.array) {
    throw new QueryError(QueryErrorCode.badValue, `${field.name} needs an array`);
  }
  const values = [...readFields(field.bytes, field.start)];
  for (const value of values) {
    refuseUndefined(value, `cannot compare to undefined`);
    if (isOperatorDocument(value)) {
      throw new QueryError(QueryErrorCode.badValue, `cannot nest $ under ${field.name}`);
    }
  }
  return values;
}

function refuseUndefined<T extends RawValue>(value: T, message = 'cannot compare to undefined'): T {
  if (value.type === bsonTypes.undefined) {
    throw new QueryError(QueryErrorCode.badValue, message);
  }
  return value;
}

function refuseRegex(value: RawValue, message: string): void {
  if (value.type === bsonTypes.regex) {
    throw new QueryError(QueryErrorCode.badValue, message);
  }
}

/** The boolean that mongod takes a value for: false, 0, null and undefined are false. */
export function isTruthy(value: RawValue): boolean {
  switch (value.type) {
    case bsonTypes.bool:
      return value.bytes[value.start] === 1;
    case bsonTypes.null:
    case bsonTypes.undefined:
      return false;
    case bsonTypes.double:
    case bsonTypes.int:
    case bsonTypes.long:
    case bsonTypes.decimal:
      return readAsDouble(value.type, value.bytes, value.start) !== 0;
    default:
      return true;
  }
}

function isNaNValue(value: RawValue): boolean {
  return (
    (value.type === bsonTypes.double || value.type === bsonTypes.decimal) &&
    Number.isNaN(readAsDouble(value.type, value.bytes, value.start))
  );
}

const nan: RawValue = (() => {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(Number.NaN);
  return { type: bsonTypes.double, bytes, start: 0, end: 8 };
})();
