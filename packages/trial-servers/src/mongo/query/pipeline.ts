/** The stages of an aggregation pipeline, as far as counting and sampling need them. */
import { deserialize } from 'bson';
import { encodeDocument } from '../batch-sources.ts';
import { readFields, readString } from '../../../../../src/bson/raw-value.ts';
import type { RawField, RawValue } from '../../../../../src/bson/raw-value.ts';
import { bsonTypes, rankOf } from '../../../../../src/bson/types.ts';
import { wrapValue } from '../decode.ts';
import { shuffle } from '../storage/collection.ts';
import type { Collection, DocumentRef } from '../storage/collection.ts';
import { CommandError, ErrorCode, notImplemented } from '../errors.ts';
import type { TextOrder } from '../../../../../src/bson/match/compare.ts';
import { matchAll, matchesDocument, parseFilter } from '../../../../../src/bson/match/filter.ts';
import { alongIndex, countMatches, scanMatches } from './matches.ts';
import { readAsDouble } from '../../../../../src/bson/match/numbers.ts';
import { isOperatorDocument } from '../../../../../src/bson/match/operators.ts';
import { parseProjection } from './projection.ts';
import { parseSort } from './sort.ts';

/** The rows between stages. */
export interface Rows extends Iterable<DocumentRef> {
  /** Set while the rows are all of a collection's, so that a stage can use its index. */
  readonly collection?: Collection;
  /** The number of rows, if it is known without reading them. */
  readonly count?: () => number;
}

export type Stage = (rows: Rows) => Rows;

/** All documents of a collection. */
export function readAll(collection: Collection): Rows {
  return {
    collection,
    count: () => collection.size,
    [Symbol.iterator]: () => scanMatches(collection, matchAll),
  };
}

/**
 * Parses the stage at `index` of the pipeline.
 * @param order of texts
 */
export function parseStage(stage: RawField, index: number, namespace: string, order: TextOrder): Stage {
  const fields = stage.type === bsonTypes.object ? [...readFields(stage.bytes, stage.start)] : [];
  const [operator] = fields;
  if (stage.type !== bsonTypes.object) {
    throw new CommandError(ErrorCode.typeMismatch, "Each element of the 'pipeline' array must be an object");
  }
  if (operator === undefined || fields.length !== 1) {
    throw new CommandError(40323, 'A pipeline stage specification object must contain exactly one field.');
  }
  switch (operator.name) {
    case '$match':
      return match(operator, order);
    case '$limit':
      return limit(operator);
    case '$skip':
      return skip(operator);
    case '$sample':
      return sample(operator);
    case '$count':
      return countAs(operator);
    case '$group':
      return group(operator);
    case '$sort':
      return sort(operator, order);
    case '$project':
      return project(operator);
    case '$collStats':
      return collStats(operator, index, namespace);
    case '$changeStream':
      throw new CommandError(40602, '$changeStream is only valid as the first stage in a pipeline');
    default:
      throw unsupportedStages.has(operator.name)
        ? notImplemented(`the stage ${operator.name}`)
        : new CommandError(40324, `Unrecognized pipeline stage name: '${operator.name}'`);
  }
}

/** Stages of mongod that this server lacks. */
export const unsupportedStages = new Set(
  (
    '$addFields $bucket $bucketAuto $changeStreamSplitLargeEvent $currentOp $densify $documents $facet ' +
    '$fill $geoNear $graphLookup $indexStats $listLocalSessions $listSampledQueries $listSearchIndexes $listSessions ' +
    '$lookup $merge $out $planCacheStats $queryStats $redact $replaceRoot $replaceWith $search $searchMeta $set ' +
    '$setWindowFields $shardedDataDistribution $sortByCount $unionWith $unset $unwind $vectorSearch'
  ).split(' '),
);

function match(operator: RawField, order: TextOrder): Stage {
  requireObject(operator, 15959, 'the match filter must be an expression in an object');
  const filter = parseFilter(operator.bytes, operator.start, order);
  return (rows) => {
    const { collection } = rows;
    if (collection !== undefined) {
      const found = alongIndex(filter, order, collection.order);
      return {
        count: () => countMatches(collection, found),
        [Symbol.iterator]: () => scanMatches(collection, found),
      };
    }
    return [...rows].filter(({ bytes, start }) => matchesDocument(filter, bytes, start));
  };
}

function limit(operator: RawField): Stage {
  const count = readCount(operator, 15957, 'the limit must be specified as a number');
  if (count < 1) {
    throw new CommandError(15958, 'the limit must be positive');
  }
  return (rows) => take(rows, 0, count);
}

function skip(operator: RawField): Stage {
  const count = readCount(operator, 5107200, 'invalid argument to $skip stage: Expected a number');
  return (rows) => take(rows, count, Infinity);
}

/** Random documents, each at most once. */
function sample(operator: RawField): Stage {
  requireObject(operator, 28745, 'the $sample stage specification must be an object');
  let size: number | undefined;
  for (const field of readFields(operator.bytes, operator.start)) {
    if (field.name !== 'size') {
      throw new CommandError(28748, `unrecognized option to $sample: ${field.name}`);
    }
    size = readCount(field, 28746, 'size argument to $sample must be a number');
  }
  if (size === undefined) {
    throw new CommandError(28749, '$sample stage must specify a size');
  }
  const wanted = size;
  return (rows) => {
    if (rows.collection !== undefined) {
      return rows.collection.sample(wanted);
    }
    const all = [...rows];
    shuffle(all);
    return all.slice(0, wanted);
  };
}

function countAs(operator: RawField): Stage {
  const name = operator.type === bsonTypes.string ? readString(operator) : '';
  if (name === '' || name.startsWith('$') || name.includes('.')) {
    throw new CommandError(40156, 'the count field must be a non-empty string without $ and dots');
  }
  return (rows) => {
    const total = countRows(rows);
    return total === 0 ? [] : [encodeDocument({ [name]: total })];
  };
}

/** `{_id: <constant>, <name>: {$sum: <constant number>}, ...}`: one group, of everything. */
function group(operator: RawField): Stage {
  requireObject(operator, 15947, "a group's fields must be specified in an object");
  let id: RawValue | undefined;
  const sums: { name: string; each: number }[] = [];
  for (const field of readFields(operator.bytes, operator.start)) {
    if (field.name === '_id') {
      id = field;
    } else {
      sums.push({ name: field.name, each: parseSum(field) });
    }
  }
  if (id === undefined) {
    throw new CommandError(15955, 'a group specification must include an _id');
  }
  const isExpression = id.type === bsonTypes.string && readString(id).startsWith('$');
  if (isExpression || id.type === bsonTypes.object || id.type === bsonTypes.array) {
    throw notImplemented('$group by anything but a constant');
  }
  const groupId: unknown = deserialize(wrapValue(id), { promoteValues: false })[''];
  return (rows) => {
    const total = countRows(rows);
    const fields = sums.map(({ name, each }) => [name, each * total]);
    return total === 0
      ? []
      : [encodeDocument({ _id: groupId, ...(Object.fromEntries(fields) as Record<string, number>) })];
  };
}

function parseSum(field: RawField): number {
  const [accumulator] = field.type === bsonTypes.object ? [...readFields(field.bytes, field.start)] : [];
  if (accumulator === undefined || !isOperatorDocument(field)) {
    throw new CommandError(40234, `The field '${field.name}' must be an accumulator object`);
  }
  if (accumulator.name !== '$sum' || !isNumber(accumulator)) {
    throw notImplemented('an accumulator of $group other than $sum of a constant');
  }
  return readAsDouble(accumulator.type, accumulator.bytes, accumulator.start);
}

function sort(operator: RawField, order: TextOrder): Stage {
  requireObject(operator, 15973, 'the $sort key specification must be an object');
  const { sortDocuments } = parseSort(operator, order);
  return (rows) => sortDocuments([...rows]);
}

function project(operator: RawField): Stage {
  requireObject(operator, 15969, '$project specification must be an object');
  const projection = parseProjection(operator);
  if (projection === undefined) {
    throw new CommandError(
      51272,
      'Invalid $project :: caused by :: projection specification must have at least one field',
    );
  }
  return (rows) => Array.from(rows, ({ bytes, start }) => ({ bytes: projection(bytes, start), start: 0 }));
}

function collStats(operator: RawField, index: number, namespace: string): Stage {
  requireObject(operator, 40166, '$collStats must take a nested object');
  if (index !== 0) {
    throw new CommandError(40602, '$collStats is only valid as the first stage in a pipeline');
  }
  for (const field of readFields(operator.bytes, operator.start)) {
    if (field.name !== 'count') {
      throw notImplemented(`the option ${field.name} of $collStats`);
    }
  }
  return (rows) => [encodeDocument({ ns: namespace, localTime: new Date(), count: countRows(rows) })];
}

function countRows(rows: Rows): number {
  if (rows.count !== undefined) {
    return rows.count();
  }
  const iterator = rows[Symbol.iterator]();
  let total = 0;
  while (iterator.next().done !== true) {
    total++;
  }
  return total;
}

/** Rows are read one by one, so that a limit ends the scan. */
function take(rows: Rows, skipped: number, wanted: number): Rows {
  return {
    *[Symbol.iterator]() {
      let index = 0;
      for (const row of rows) {
        if (index >= skipped) {
          yield row;
        }
        index++;
        if (index - skipped >= wanted) {
          return;
        }
      }
    },
  };
}

function requireObject(operator: RawField, code: number, message: string): void {
  if (operator.type !== bsonTypes.object) {
    throw new CommandError(code, message);
  }
}

function isNumber(value: RawValue): boolean {
  return rankOf(value.type) === rankOf(bsonTypes.int);
}

function readCount(value: RawField, code: number, message: string): number {
  const count = isNumber(value) ? readAsDouble(value.type, value.bytes, value.start) : Number.NaN;
  if (!Number.isInteger(count) || count < 0) {
    throw new CommandError(code, message);
  }
  return count;
}
