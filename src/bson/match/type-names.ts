/** The names and numbers by which `$type` knows the BSON types. */
import { BsonType, readFields, readString } from './bson-view.ts';
import type { RawField, RawValue } from './bson-view.ts';
import { rankOf } from './compare.ts';
import { QueryError, QueryErrorCode } from './errors.ts';
import { readAsDouble } from './numbers.ts';

/** https://www.mongodb.com/docs/manual/reference/bson-types/ */
export const typeNames: Readonly<Record<string, number>> = {
  double: BsonType.double,
  string: BsonType.string,
  object: BsonType.object,
  array: BsonType.array,
  binData: BsonType.binData,
  undefined: BsonType.undefined,
  objectId: BsonType.objectId,
  bool: BsonType.bool,
  date: BsonType.date,
  null: BsonType.null,
  regex: BsonType.regex,
  dbPointer: BsonType.dbPointer,
  javascript: BsonType.javascript,
  symbol: BsonType.symbol,
  javascriptWithScope: BsonType.javascriptWithScope,
  int: BsonType.int,
  timestamp: BsonType.timestamp,
  long: BsonType.long,
  decimal: BsonType.decimal,
  minKey: BsonType.minKey,
  maxKey: BsonType.maxKey,
};

const numberTypes = [BsonType.double, BsonType.int, BsonType.long, BsonType.decimal] as const;

/** Parses the operand of `$type`: a name, a number, or an array of them. */
export function parseTypes(path: string, operand: RawField): Set<number> {
  const values = operand.type === BsonType.array ? [...readFields(operand.bytes, operand.start)] : [operand];
  if (values.length === 0) {
    throw new QueryError(QueryErrorCode.failedToParse, `${path} must match at least one type`);
  }
  return new Set(values.flatMap(parseType));
}

/** The name of a type byte, for messages. */
export function nameType(type: number): string {
  return Object.keys(typeNames).find((name) => typeNames[name] === type) ?? String(type);
}

function parseType(value: RawValue): readonly number[] {
  if (value.type === BsonType.string) {
    const name = readString(value);
    if (name === 'number') {
      return numberTypes;
    }
    const type = Object.hasOwn(typeNames, name) ? typeNames[name] : undefined;
    if (type === undefined) {
      throw new QueryError(QueryErrorCode.badValue, `Unknown type name alias: ${name}`);
    }
    return [type];
  }
  if (rankOf(value.type) !== rankOf(BsonType.int)) {
    throw new QueryError(QueryErrorCode.typeMismatch, 'type must be represented as a number or a string');
  }
  const code = readAsDouble(value.type, value.bytes, value.start);
  const type = code === -1 ? BsonType.minKey : code;
  if (!Object.values(typeNames).includes(type) || code === BsonType.minKey) {
    throw new QueryError(QueryErrorCode.badValue, `Invalid numerical type code: ${code}`);
  }
  return [type];
}
