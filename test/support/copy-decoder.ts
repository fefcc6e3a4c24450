/**
 * Reads a binary COPY stream, strictly by its specification; shares no code with the encoder.
 */

import assert from 'node:assert/strict';
import type { Plan, PlanColumn } from '../../src/transcode/plan.ts';
import type { ColumnType } from '../../src/transcode/column-types/names.ts';

const signature = Buffer.from('5047434f50590aff0d0a00', 'hex');

/**
 * The fields of each row; null is SQL NULL. https://www.postgresql.org/docs/current/sql-copy.html (Binary
 * Format)
 */
export function decodeCopy(stream: Buffer): (Buffer | null)[][] {
  assert.deepEqual(stream.subarray(0, 11), signature);
  assert.equal(stream.readInt32BE(11), 0, 'flags');
  assert.equal(stream.readInt32BE(15), 0, 'header extension');
  const rows: (Buffer | null)[][] = [];
  let at = 19;
  for (;;) {
    const fieldCount = stream.readInt16BE(at);
    at += 2;
    if (fieldCount === -1) break;
    const row: (Buffer | null)[] = [];
    for (let i = 0; i < fieldCount; i++) {
      const length = stream.readInt32BE(at);
      at += 4;
      assert.ok(length >= -1 && at + length <= stream.length, `a field of ${length} bytes at ${at}`);
      row.push(length === -1 ? null : Buffer.from(stream.subarray(at, at + length)));
      at += Math.max(length, 0);
    }
    rows.push(row);
  }
  assert.equal(at, stream.length, 'nothing after the trailer');
  return rows;
}

/**
 * What Postgres would read: bigint for int64 and for a date's microseconds since 2000, hex of the bits for a
 * double and of bytes, text for numeric.
 */
export type Field = string | number | bigint | boolean | null | Field[];

/** Each row as column → value, and the extra column as its text. */
export function decodeRows(stream: Buffer, plan: Plan): Record<string, Field>[] {
  return decodeCopy(stream).map((fields) => {
    const columns: Pick<PlanColumn, 'column' | 'type' | 'isArray'>[] = [...plan.columns];
    if (plan.extraColumn !== null) columns.push({ column: plan.extraColumn, type: 'json' });
    assert.equal(fields.length, columns.length);
    return Object.fromEntries(
      columns.map(({ column, type, isArray }, i) => {
        const field = fields[i] ?? null;
        return [column, isArray === true ? decodeArray(type, field) : decodeField(type, field)];
      }),
    );
  });
}

/** https://github.com/postgres/postgres/blob/master/src/backend/utils/adt/arrayfuncs.c (array_recv) */
function decodeArray(type: ColumnType, bytes: Buffer | null): Field {
  if (bytes === null) return null;
  const dimensions = bytes.readInt32BE(0);
  assert.ok(dimensions === 0 || dimensions === 1, `${dimensions} dimensions`);
  if (dimensions === 0) return [];
  const elements: Field[] = [];
  let at = 20;
  for (let left = bytes.readInt32BE(12); left > 0; left--) {
    const length = bytes.readInt32BE(at);
    at += 4;
    elements.push(decodeField(type, length === -1 ? null : bytes.subarray(at, at + length)));
    at += Math.max(length, 0);
  }
  assert.equal(at, bytes.length);
  return elements;
}

function decodeField(type: ColumnType, bytes: Buffer | null): Field {
  if (bytes === null) return null;
  switch (type) {
    case 'objectId':
    case 'string':
    case 'symbol':
      assert.ok(!bytes.includes(0), 'a NUL in text');
      return decodeUtf8(bytes);
    case 'objectIdBytes':
      assert.equal(bytes.length, 12);
      return bytes.toString('hex');
    case 'uuid':
      assert.equal(bytes.length, 16);
      return bytes.toString('hex');
    case 'binary':
      return bytes.toString('hex');
    case 'decimal':
      return decodeNumeric(bytes);
    case 'int32':
      assert.equal(bytes.length, 4);
      return bytes.readInt32BE();
    case 'int64':
      assert.equal(bytes.length, 8);
      return bytes.readBigInt64BE();
    case 'date': {
      assert.equal(bytes.length, 8);
      const micros = bytes.readBigInt64BE();
      // MIN_TIMESTAMP and END_TIMESTAMP of src/include/datatype/timestamp.h
      assert.ok(micros >= -211_813_488_000_000_000n && micros < 9_223_371_331_200_000_000n, `${micros}`);
      return micros;
    }
    case 'double':
      assert.equal(bytes.length, 8);
      return bytes.toString('hex');
    case 'boolean':
      assert.equal(bytes.length, 1);
      assert.ok(bytes[0] === 0 || bytes[0] === 1);
      return bytes[0] === 1;
    case 'json': {
      assert.equal(bytes[0], 1, 'the version of jsonb');
      const text = decodeUtf8(bytes.subarray(1));
      // jsonb accepts any JSON except the character U+0000.
      JSON.parse(text, (key, member: unknown) => {
        const hasNul = key.includes('\0') || (typeof member === 'string' && member.includes('\0'));
        assert.ok(!hasNul, 'a NUL in jsonb');
        return member;
      });
      return text;
    }
  }
}

/**
 * As Postgres shows it; checks what its numeric_recv checks, and that no digit is cut away:
 * https://github.com/postgres/postgres/blob/master/src/backend/utils/adt/numeric.c
 */
function decodeNumeric(bytes: Buffer): string {
  const [count, weight] = [bytes.readInt16BE(0), bytes.readInt16BE(2)];
  const [sign, scale] = [bytes.readUInt16BE(4), bytes.readUInt16BE(6)];
  assert.equal(bytes.length, 8 + count * 2);
  assert.ok(scale <= 0x3fff, `a scale of ${scale}`);
  const special = { 0xc000: 'NaN', 0xd000: 'Infinity', 0xf000: '-Infinity' }[sign];
  if (special !== undefined) {
    assert.equal(count, 0);
    return special;
  }
  assert.ok(sign === 0 || sign === 0x4000, `a sign of ${sign}`);
  let value = 0n;
  for (let i = 0; i < count; i++) {
    const digit = bytes.readUInt16BE(8 + i * 2);
    assert.ok(digit < 10_000, `a digit of ${digit}`);
    value = value * 10_000n + BigInt(digit);
  }
  // The value is an integer of this many decimal places.
  const places = (count - 1 - weight) * 4;
  if (places < scale) value *= 10n ** BigInt(scale - places);
  else assert.equal(value % 10n ** BigInt(places - scale), 0n, 'digits beyond the scale');
  const digits = (places < scale ? value : value / 10n ** BigInt(places - scale)).toString();
  const padded = digits.padStart(scale + 1, '0');
  const shown = scale === 0 ? padded : `${padded.slice(0, -scale)}.${padded.slice(-scale)}`;
  return `${sign === 0 ? '' : '-'}${shown}`;
}

function decodeUtf8(bytes: Buffer): string {
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
}
