/** The names and numbers of BSON types in `$type`. */
import { type RawField, type RawValue, readFields, readString } from '../raw-value.ts';
import { type BsonTypeName, bsonTypes, rankOf } from '../types.ts';
import { QueryError, QueryErrorCode } from './errors.ts';
import { readAsDouble } from './numbers.ts';

const numberTypes = [bsonTypes.double, bsonTypes.int, bsonTypes.long, bsonTypes.decimal] as const;

/** Parses the operand of `$type`: a name, a number, or an array of them. */
export function parseTypes(path: string, operand: RawField): Set<number> {
  const values = operand.type === bsonTypes.array ? [...readFields(operand.bytes, operand.start)] : [operand];
  if (values.length === 0) {
    throw new QueryError(QueryErrorCode.failedToParse, `${path} must match at least one type`);
  }
  return new Set(values.flatMap(parseType));
}

function parseType(value: RawValue): readonly number[] {
  if (value.type === bsonTypes.string) {
    const name = readString(value);
    if (name === 'number') {
      return numberTypes;
    }
    if (!isTypeName(name)) {
      throw new QueryError(QueryErrorCode.badValue, `Unknown type name alias: ${name}`);
    }
    return [bsonTypes[name]];
  }
  if (rankOf(value.type) !== rankOf(bsonTypes.int)) {
    throw new QueryError(QueryErrorCode.typeMismatch, 'type must be represented as a number or a string');
  }
  const code = readAsDouble(value.type, value.bytes, value.start);
  const type = code === -1 ? bsonTypes.minKey : code;
  if (!isType(type) || code === bsonTypes.minKey) {
    throw new QueryError(QueryErrorCode.badValue, `Invalid numerical type code: ${code}`);
  }
  return [type];
}

function isTypeName(name: string): name is BsonTypeName {
  return Object.hasOwn(bsonTypes, name);
}

function isType(code: number): boolean {
  return rankOf(code) > 0;
}
