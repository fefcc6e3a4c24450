/** Parses a query filter into a test of raw documents and the intervals of `_id` that it needs. */
import { BsonType, findField, readFields } from './bson-view.ts';
import type { RawField, RawValue } from './bson-view.ts';
import { atPath, QueryError, QueryErrorCode, UnsupportedError } from './errors.ts';
import { allIds, compareToBound, intersect } from './id-bounds.ts';
import type { Interval } from './id-bounds.ts';
import { parseConditions } from './operators.ts';
import type { Condition } from './condition.ts';

type DocumentTest = (bytes: Buffer, start: number) => boolean;

export interface Filter {
  /** The documents that can match have their `_id` in these, sorted and disjoint. */
  readonly idIntervals: readonly Interval[];
  /** Tests a document whose `_id` is in the intervals; undefined when all such documents match. */
  readonly test: DocumentTest | undefined;
}

const unsupportedTopLevelOperators = new Set(
  '$expr $where $jsonSchema $text $sampleRate $alwaysTrue $alwaysFalse'.split(' '),
);

export const matchAll: Filter = { idIntervals: allIds, test: undefined };

/** Parses the filter document at `start`, already checked to be well-formed. */
export function parseFilter(bytes: Buffer, start: number): Filter {
  let idIntervals: readonly Interval[] = allIds;
  const tests: DocumentTest[] = [];
  for (const field of readFields(bytes, start)) {
    switch (field.name) {
      case '$comment':
        break;
      case '$and':
        for (const child of parseList(field)) {
          idIntervals = intersect(idIntervals, child.idIntervals);
          if (child.test !== undefined) {
            tests.push(child.test);
          }
        }
        break;
      case '$or':
        tests.push(anyOf(parseList(field)));
        break;
      case '$nor': {
        const isAny = anyOf(parseList(field));
        tests.push((document, offset) => !isAny(document, offset));
        break;
      }
      default:
        if (field.name.startsWith('$')) {
          throw refuseTopLevelOperator(field.name);
        }
        for (const condition of atPath(field.name, () => parseConditions(field.name, field))) {
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

/** Whether any document matches, one of no collection (without an `_id`, say) included. */
export function matchesDocument(filter: Filter, bytes: Buffer, start: number): boolean {
  const { idIntervals, test } = filter;
  return (idIntervals === allIds || isInside(bytes, start, idIntervals)) && (test?.(bytes, start) ?? true);
}

/** The children of `$and`, `$or` and `$nor`. */
function parseList(field: RawField): Filter[] {
  if (field.type !== BsonType.array) {
    throw new QueryError(QueryErrorCode.badValue, `${field.name} must be an array`);
  }
  const children = [...readFields(field.bytes, field.start)];
  if (children.length === 0) {
    throw new QueryError(QueryErrorCode.badValue, '$and/$or/$nor must be a nonempty array');
  }
  return children.map((child) => {
    if (child.type !== BsonType.object) {
      throw new QueryError(QueryErrorCode.badValue, '$or/$and/$nor entries need to be full objects');
    }
    return parseFilter(child.bytes, child.start);
  });
}

/** A child's intervals are part of what it asks for: outside of them it does not match. */
function anyOf(children: readonly Filter[]): DocumentTest {
  return (bytes, start) => children.some((child) => matchesDocument(child, bytes, start));
}

function allOf(tests: readonly DocumentTest[]): DocumentTest | undefined {
  if (tests.length <= 1) {
    return tests[0];
  }
  return (bytes, start) => tests.every((test) => test(bytes, start));
}

const idName = Buffer.from('_id');

function isInside(bytes: Buffer, start: number, intervals: readonly Interval[]): boolean {
  const id = findField(bytes, start, idName);
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
  const steps = path.split('.').map((name): Step => ({ name: Buffer.from(name), index: readIndex(name) }));
  const { isNegated } = condition;
  return (bytes, start) => isMetAt(bytes, start, steps, 0, condition) !== isNegated;
}

/** A part of a dotted path, which in an array may be the number of an element. */
interface Step {
  readonly name: Buffer;
  /** -1 where it is none. */
  readonly index: number;
}

function readIndex(name: string): number {
  return /^(0|[1-9]\d*)$/.test(name) ? Number(name) : -1;
}

/** Follows a dotted path, through every element of an array on the way, as mongod does. */
function isMetAt(
  bytes: Buffer,
  start: number,
  steps: readonly Step[],
  depth: number,
  condition: Condition,
): boolean {
  const step = steps[depth];
  const value = step === undefined ? undefined : findField(bytes, start, step.name);
  if (value === undefined) {
    return condition.matchesMissing;
  }
  if (depth === steps.length - 1) {
    return isMetBy(value, condition);
  }
  if (value.type === BsonType.object) {
    return isMetAt(bytes, value.start, steps, depth + 1, condition);
  }
  return value.type === BsonType.array
    ? isMetWithin(bytes, value.start, steps, depth + 1, condition)
    : condition.matchesMissing;
}

/**
 * Within an array: a path goes on in each element that is an object, and in the one that it names by its number. An
 * array in an array is entered by its number only, and one at the end of the path is then taken as a whole.
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
    const isObject = element.type === BsonType.object;
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
      element.type === BsonType.array &&
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
  if (value.type === BsonType.array && condition.isForElements) {
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
