/** Makes BSON values, and calculates with them as $inc and $mul do. */
import { serialize } from 'bson';
import { readFields } from '../../../../../src/bson/raw-value.ts';
import type { RawValue } from '../../../../../src/bson/raw-value.ts';
import { bsonTypes, rankOf } from '../../../../../src/bson/types.ts';
import { readAsDouble } from '../../../../../src/bson/match/numbers.ts';
import { CommandError, ErrorCode, notImplemented } from '../errors.ts';

/** Any value that js-bson knows. */
export function encodeValue(value: unknown): RawValue {
  const bytes = Buffer.from(serialize({ '': value }));
  const [field] = readFields(bytes, 0);
  if (field === undefined) {
    throw new TypeError('undefined is no value');
  }
  return field;
}

export function isNumber(value: RawValue): boolean {
  return rankOf(value.type) === rankOf(bsonTypes.int);
}

/** The sum or product, in the wider type of the two; an int that overflows becomes a long. */
export function calculate(operator: '$inc' | '$mul', a: RawValue, b: RawValue): RawValue {
  if (a.type === bsonTypes.decimal || b.type === bsonTypes.decimal) {
    throw notImplemented(`${operator} of Decimal128`);
  }
  if (a.type === bsonTypes.double || b.type === bsonTypes.double) {
    const [x, y] = [readAsDouble(a.type, a.bytes, a.start), readAsDouble(b.type, b.bytes, b.start)];
    const bytes = Buffer.allocUnsafe(8);
    bytes.writeDoubleLE(operator === '$inc' ? x + y : x * y);
    return { type: bsonTypes.double, bytes, start: 0, end: 8 };
  }
  const [x, y] = [readInteger(a), readInteger(b)];
  const result = operator === '$inc' ? x + y : x * y;
  if (result !== BigInt.asIntN(64, result)) {
    throw new CommandError(
      ErrorCode.badValue,
      `Failed to apply ${operator} operations to current value (${x.toString()}) for document: the result is no int64`,
    );
  }
  const isInt = a.type === bsonTypes.int && b.type === bsonTypes.int && result === BigInt.asIntN(32, result);
  return isInt ? encodeInt(Number(result)) : encodeLong(result);
}

export function encodeInt(value: number): RawValue {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeInt32LE(value);
  return { type: bsonTypes.int, bytes, start: 0, end: 4 };
}

function encodeLong(value: bigint): RawValue {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeBigInt64LE(value);
  return { type: bsonTypes.long, bytes, start: 0, end: 8 };
}

function readInteger({ type, bytes, start }: RawValue): bigint {
  return type === bsonTypes.int ? BigInt(bytes.readInt32LE(start)) : bytes.readBigInt64LE(start);
}
