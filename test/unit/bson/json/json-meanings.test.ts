import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BSON, Decimal128, Double, Long, ObjectId, UUID } from 'bson';
import { JsonMeanings } from '../../../../src/bson/json/json-meanings.ts';
import type { JsonStyle } from '../../../../src/bson/json/json-style.ts';
import { nameOfType } from '../../../../src/bson/types.ts';

/** The BSON types that a text may come from, the rare ones in brackets. */
function typesOf(style: JsonStyle, json: string): string {
  const names = new JsonMeanings(style).list(json).map(({ type, likelihood }) => {
    return likelihood === undefined ? nameOfType(type) : `(${nameOfType(type)})`;
  });
  return names.join(' ');
}

const oid = '65f0a1b2c3d4e5f6a7b8c9d0';

describe('the possible BSON values of a jsonb text', () => {
  const table: readonly (readonly [style: JsonStyle, json: string, types: string])[] = [
    ['relaxed', 'null', 'null'],
    ['relaxed', 'true', 'bool'],
    ['relaxed', '"a"', 'string'],
    ['relaxed', `"${oid}"`, 'string'],
    ['relaxed', '[1, 2]', 'array'],
    ['relaxed', '{"a": 1}', 'object'],
    ['relaxed', '{"$oid": 5}', 'object'],
    ['relaxed', `{"$oid": "${oid}"}`, 'objectId (object)'],
    ['relaxed', `{"$oid": "${oid.toUpperCase()}"}`, 'object'],
    ['relaxed', '{"$uuid": "00112233-4455-6677-8899-aabbccddeeff"}', 'object'],
    ['relaxed', '{"$date": "2024-02-29T12:00:00Z"}', 'date (object)'],
    ['relaxed', '{"$date": {"$numberLong": "1709208000000"}}', 'object'],
    ['relaxed', '{"$date": {"$numberLong": "-1"}}', 'date (object)'],
    ['relaxed', '{"$timestamp": {"i": 1, "t": 2}}', 'timestamp (object)'],
    ['relaxed', '{"$numberDecimal": "1.50"}', 'decimal (object)'],
    ['relaxed', '{"$numberDouble": "NaN"}', 'double (object)'],
    ['relaxed', '{"$numberDouble": "1.5"}', 'object'],
    ['relaxed', '5', 'int long double'],
    ['relaxed', '-2147483649', 'long double'],
    ['relaxed', '9007199254740993', 'long'],
    ['relaxed', '9007199254740994', 'long double'],
    ['relaxed', '1152921504606847000', 'long double'],
    ['relaxed', '1152921504606846976', 'long'],
    ['relaxed', '1000000000000000000000', 'double'],
    ['relaxed', '0.0000001', 'double'],
    ['relaxed', '1.50', ''],
    ['canonical', '5', ''],
    ['canonical', '{"$numberInt": "5"}', 'int (object)'],
    ['canonical', '{"$numberDouble": "1.0"}', 'double (object)'],
    ['plain', '1.50', 'decimal'],
    ['plain', '1.5', 'double decimal'],
    ['plain', '5', 'int long double decimal'],
    ['plain', `1${'0'.repeat(40)}`, 'double decimal'],
    ['plain', '"a"', 'string (symbol)'],
    ['plain', `"${oid}"`, 'string objectId (symbol)'],
    ['plain', '"2024-02-29T12:00:00Z"', 'string date (symbol)'],
    ['plain', '"2024-02-30T12:00:00Z"', 'string (symbol)'],
    ['plain', '"2024-02-29T12:00:00.000Z"', 'string (symbol)'],
    ['plain', '"00112233-4455-6677-8899-aabbccddeeff"', 'string binData (symbol)'],
    ['plain', `{"$oid": "${oid}"}`, 'object'],
  ];
  for (const [style, json, types] of table) {
    it(`${style} ${json}: ${types}`, () => {
      assert.equal(typesOf(style, json), types);
    });
  }

  it('has the bytes of each', () => {
    const bytesOf = (style: JsonStyle, json: string, type: string): string => {
      const meaning = new JsonMeanings(style).list(json).find((one) => nameOfType(one.type) === type);
      return Buffer.from(meaning?.bytes ?? []).toString('hex');
    };
    const valueOf = (v: unknown): string =>
      Buffer.from(BSON.serialize({ v })).subarray(7, -1).toString('hex');
    assert.equal(bytesOf('relaxed', '1152921504606847000', 'double'), valueOf(new Double(2 ** 60)));
    const long = Long.fromString('1152921504606847000');
    assert.equal(bytesOf('relaxed', '1152921504606847000', 'long'), valueOf(long));
    assert.equal(bytesOf('plain', '1.50', 'decimal'), valueOf(Decimal128.fromString('1.50')));
    assert.equal(bytesOf('plain', `"${oid}"`, 'objectId'), valueOf(new ObjectId(oid)));
    const uuid = '00112233-4455-6677-8899-aabbccddeeff';
    assert.equal(bytesOf('plain', `"${uuid}"`, 'binData'), valueOf(new UUID(uuid)));
  });
});
