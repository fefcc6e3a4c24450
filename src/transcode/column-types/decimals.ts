/** Numbers of any digits, and money. */

import { showMoney, writeNumeric } from '../encode/text-form.ts';
import { createMoneyEncoder } from '../encode/encode-money.ts';
import { limitNumeric } from '../encode/limit-numeric.ts';
import {
  encodeDecimal,
  encodeDoubleAsNumeric,
  encodeInt32AsNumeric,
  encodeInt64AsNumeric,
  encodeWholeDoubleAsNumeric,
} from '../encode/numeric.ts';
import { isIdColumn } from '../plan.ts';
import type { ColumnTypeDefinition, ValueKindDefinition } from './definition.ts';
import { fixed, variable } from './width.ts';

/** COPY has eight bytes before the digits, a stored row at most four. */
const surplusBytes = 4;

export const decimal: ColumnTypeDefinition = {
  sql: 'numeric',
  oid: 1700,
  kind: 'numeric',
  bsonType: 'decimal',
  inferredFrom: 'decimal',
  widened: { int32: 'decimal', int64: 'decimal', double: 'decimal' },
  takes: (column) => ({
    decimal: encodeDecimal,
    int: encodeInt32AsNumeric,
    long: encodeInt64AsNumeric,
    // By their shortest digits, the double 0.1 and the Decimal128 0.1 would be equal.
    double: isIdColumn(column) ? encodeWholeDoubleAsNumeric : encodeDoubleAsNumeric,
  }),
};

export const numeric: ValueKindDefinition = {
  planTypes: ['decimal', 'int32', 'int64', 'double'],
  width: variable(surplusBytes),
  takes: (type) => ({
    int: limitNumeric(encodeInt32AsNumeric, type),
    long: limitNumeric(encodeInt64AsNumeric, type),
    double: limitNumeric(encodeDoubleAsNumeric, type),
    decimal: limitNumeric(encodeDecimal, type),
  }),
  createText: () => writeNumeric,
};

export const money: ValueKindDefinition = {
  planTypes: ['decimal', 'int32', 'int64', 'double'],
  width: fixed(8),
  takes: ({ scale = 0 }) => ({
    int: createMoneyEncoder(encodeInt32AsNumeric, scale),
    long: createMoneyEncoder(encodeInt64AsNumeric, scale),
    double: createMoneyEncoder(encodeDoubleAsNumeric, scale),
    decimal: createMoneyEncoder(encodeDecimal, scale),
  }),
  createText: ({ scale = 0, decimalPoint = '' }) => {
    return (source, start, _end, output) => {
      output.writeAscii(showMoney(source.view.getBigInt64(start), scale, decimalPoint));
    };
  },
};
