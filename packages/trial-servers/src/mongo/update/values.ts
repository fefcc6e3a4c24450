/** Makes BSON values, and calculates with them as $inc and $mul do. */
import { serialize } from 'bson';
import { BsonType, readFields } from '../../../../../src/bson/match/bson-view.ts';
import type { RawValue } from '../../../../../src/bson/match/bson-view.ts';
import { rankOf } from '../../../../../src/bson/match/compare.ts';
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
  return rankOf(value.type) === rankOf(BsonType.int);
}

/** The sum or product, in the wider type of the two; an int that overflows becomes a long. */
export function calculate(operator: '$inc' | '$mul', a: RawValue, b: RawValue): RawValue {
  if (a.type === BsonType.decimal || b.type === BsonType.decimal) {
    throw notImplemented(`${operator} of Decimal128`);
  }
  if (a.type === BsonType.double || b.type === BsonType.double) {
    const [x, y] = [readAsDouble(a.type, a.bytes, a.start), readAsDouble(b.type, b.bytes, b.start)];
    const bytes = Buffer.allocUnsafe(8);
    bytes.writeDoubleLE(operator === '$inc' ? x + y : x * y);
    return { type: BsonType.double, bytes, start: 0, end: 8 };
  }
  const [x, y] = [readInteger(a), readInteger(b)];
  const result = operator === '$inc' ? x + y : x * y;
  if (result !== BigInt.asIntN(64, result)) {
    throw new CommandError(
      ErrorCode.badValue,
      `Failed to apply ${operator} operations to current value (${x.toString()}) for document: the result is no int64`,
    );
  }
  const isInt = a.type === BsonType.int && b.type === BsonType.int && result === BigInt.asIntN(32, result);
  return isInt ? encodeInt(Number(result)) : encodeLong(result);
}

export function encodeInt(value: number): RawValue {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeInt32LE(value);
  return { type: BsonType.int, bytes, start: 0, end: 4 };
}

function encodeLong(value: bigint): RawValue {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeBigInt64LE(value);
  return { type: BsonType.long, bytes, start: 0, end: 8 };
}

function readInteger({ type, bytes, start }: RawValue): bigint {
  return type === BsonType.int ? BigInt(bytes.readInt32LE(start)) : bytes.readBigInt64LE(start);
}
