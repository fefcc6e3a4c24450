/** Compiles a query filter into a test for raw documents, and the intervals of `_id` that can match. */
import { findValue, type RawField, type RawValue, readFields } from '../raw-value.ts';
import { guessName, type NameGuess } from '../cursor.ts';
import { bsonTypes } from '../types.ts';
import { byBytes, type TextOrder } from './compare.ts';
import { atPath, QueryError, QueryErrorCode, UnsupportedError } from './errors.ts';
import { allIds, compareToBound, intersect } from './id-bounds.ts';
import type { Interval } from './id-bounds.ts';
import { parseConditions } from './operators.ts';
import type { Condition } from './condition.ts';

type DocumentTest = (bytes: Buffer, start: number) => boolean;

export interface Filter {
  /** The `_id`s of matching documents are in these intervals, which are sorted and disjoint. */
  readonly idIntervals: readonly Interval[];
  /** Tests a document whose `_id` is in the intervals; undefined if all such documents match. */
  readonly test: DocumentTest | undefined;
}

const unsupportedTopLevelOperators = new Set(
  '$expr $where $jsonSchema $text $sampleRate $alwaysTrue $alwaysFalse'.split(' '),
);

export const matchAll: Filter = { idIntervals: allIds, test: undefined };

/**
 * Compiles the filter document at `start`, which must be well formed.
 * @param order the collation of strings
 */
export function parseFilter(bytes: Buffer, start: number, order: TextOrder = byBytes): Filter {
  let idIntervals: readonly Interval[] = allIds;
  const tests: DocumentTest[] = [];
  for (const field of readFields(bytes, start)) {
    switch (field.name) {
      case '$comment':
        break;
      case '$and':
        for (const child of parseList(field, order)) {
          idIntervals = intersect(idIntervals, child.idIntervals);
          if (child.test !== undefined) {
            tests.push(child.test);
          }
        }
        break;
      case '$or':
        tests.push(anyOf(parseList(field, order)));
        break;
      case '$nor': {
        const isAny = anyOf(parseList(field, order));
        tests.push((document, offset) => !isAny(document, offset));
        break;
      }
      default:
        if (field.name.startsWith('$')) {
          throw refuseTopLevelOperator(field.name);
        }
        for (const condition of atPath(field.name, () => parseConditions(field.name, field, order))) {
          if (field.name === '_id') {
            idIntervals = intersect(idIntervals, condition.idIntervals);
            if (condition.isCoveredByIntervals) {
              continue;
            }
          }
          tests.push(createPathTest(field.name, condition));
        }
    }
  }
  return { idIntervals, test: allOf(tests) };
}

/** Whether a document matches. It need not be one of a collection, so it may have no `_id`. */
export function matchesDocument(filter: Filter, bytes: Buffer, start: number): boolean {
  const { idIntervals, test } = filter;
  return (idIntervals === allIds || isInside(bytes, start, idIntervals)) && (test?.(bytes, start) ?? true);
}

/** The children of `$and`, `$or` and `$nor`. */
function parseList(field: RawField, order: TextOrder): Filter[] {
  if (field.type !== bsonTypes.array) {
    throw new QueryError(QueryErrorCode.badValue, `${field.name} must be an array`);
  }
  const children = [...readFields(field.bytes, field.start)];
  if (children.length === 0) {
    throw new QueryError(QueryErrorCode.badValue, '$and/$or/$nor must be a nonempty array');
  }
  return children.map((child) => {
    if (child.type !== bsonTypes.object) {
      throw new QueryError(QueryErrorCode.badValue, '$or/$and/$nor entries need to be full objects');
    }
    return parseFilter(child.bytes, child.start, order);
  });
}

/** Tests with the children's intervals, because their tests are only valid within these. */
function anyOf(children: readonly Filter[]): DocumentTest {
  return (bytes, start) => children.some((child) => matchesDocument(child, bytes, start));
}

function allOf(tests: readonly DocumentTest[]): DocumentTest | undefined {
  if (tests.length <= 1) {
    return tests[0];
  }
  return (bytes, start) => tests.every((test) => test(bytes, start));
}

const idName = guessName('_id');

function isInside(bytes: Buffer, start: number, intervals: readonly Interval[]): boolean {
  const id = findValue(bytes, start, idName);
  return (
    id !== undefined &&
    intervals.some(
      ({ low, high }) =>
        compareToBound(id.type, bytes, id.start, low) > 0 &&
        compareToBound(id.type, bytes, id.start, high) < 0,
    )
  );
}

function createPathTest(path: string, condition: Condition): DocumentTest {
  const steps = path.split('.').map((name): Step => ({ name: guessName(name), index: readIndex(name) }));
  const { isNegated } = condition;
  return (bytes, start) => isMetAt(bytes, start, steps, 0, condition) !== isNegated;
}

/** A part of a dotted path. In an array it may be the index of an element. */
interface Step {
  readonly name: NameGuess;
  /** -1 if it is not a number. */
  readonly index: number;
}

function readIndex(name: string): number {
  return /^(0|[1-9]\d*)$/.test(name) ? Number(name) : -1;
}

/** Follows a dotted path, through every element of arrays on the way, like mongod. */
function isMetAt(
  bytes: Buffer,
  start: number,
  steps: readonly Step[],
  depth: number,
  condition: Condition,
): boolean {
  const step = steps[depth];
  const value = step === undefined ? undefined : findValue(bytes, start, step.name);
  if (value === undefined) {
    return condition.matchesMissing;
  }
  if (depth === steps.length - 1) {
    return isMetBy(value, condition);
  }
  if (value.type === bsonTypes.object) {
    return isMetAt(bytes, value.start, steps, depth + 1, condition);
  }
  return value.type === bsonTypes.array
    ? isMetWithin(bytes, value.start, steps, depth + 1, condition)
    : condition.matchesMissing;
}

/**
 * Within an array, a path continues in each element that is an object, and in the element that it names by index. An array
 * in an array is entered by index only. The element at the end of such a path is matched as a whole.
 */
function isMetWithin(
  bytes: Buffer,
  start: number,
  steps: readonly Step[],
  depth: number,
  condition: Condition,
): boolean {
  const wanted = steps[depth]?.index;
  const isLast = depth === steps.length - 1;
  let index = 0;
  for (const element of readFields(bytes, start)) {
    const isWanted = index++ === wanted;
    const isObject = element.type === bsonTypes.object;
    if (isObject && isMetAt(bytes, element.start, steps, depth, condition)) {
      return true;
    }
    if (!isWanted) continue;
    if (
      isLast
        ? condition.matches(element)
        : isObject && isMetAt(bytes, element.start, steps, depth + 1, condition)
    ) {
      return true;
    }
    if (
      !isLast &&
      element.type === bsonTypes.array &&
      isMetWithin(bytes, element.start, steps, depth + 1, condition)
    ) {
      return true;
    }
  }
  return false;
}

function isMetBy(value: RawValue, condition: Condition): boolean {
  if (condition.matches(value)) {
    return true;
  }
  if (value.type === bsonTypes.array && condition.isForElements) {
    for (const element of readFields(value.bytes, value.start)) {
      if (condition.matches(element)) {
        return true;
      }
    }
  }
  return false;
}

function refuseTopLevelOperator(name: string): QueryError {
  if (unsupportedTopLevelOperators.has(name)) {
    return new UnsupportedError(`the operator ${name}`);
  }
  return new QueryError(
    QueryErrorCode.badValue,
    `unknown top level operator: ${name}. If you have a field name that starts with a '$' symbol, ` +
      'consider using $getField or $setField.',
  );
}
