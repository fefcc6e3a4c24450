import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BSONRegExp, deserialize, Double, Int32, Long, ObjectId, serialize } from 'bson';
import { ExitCode, UsageError } from '../../../src/common/errors.ts';
import { describeFilter, narrow, parseFilter } from '../../../src/bson/filter.ts';
import { bsonTypes } from '../../../src/bson/types.ts';
import { key, toExtendedJson, value } from '../../support/arbitrary-bson.ts';
import { int32, rawDocument } from '../../support/raw-bson.ts';
import fc from '../../support/fast-check.ts';

function parse(text: string): Buffer {
  return Buffer.from(parseFilter(text, 'FILTER'));
}

function assertParsed(text: string, expected: Parameters<typeof serialize>[0]): void {
  assert.deepEqual(parse(text), Buffer.from(serialize(expected)));
}

describe('parseFilter', () => {
  it('keeps the BSON type of every number', () => {
    assertParsed(
      '{"a": {"$numberInt": "30"}, "b": 30, "c": 1.5, "d": {"$numberLong": "30"}, "e": {"$numberDouble": "30"}, "f": 1.0}',
      {
        a: new Int32(30),
        b: new Int32(30),
        c: new Double(1.5),
        d: Long.fromNumber(30),
        e: new Double(30),
        f: new Double(1),
      },
    );
  });

  it('takes operators, dates and ids', () => {
    assertParsed(
      '{"$or": [{"at": {"$lt": {"$date": "2024-01-01T00:00:00Z"}}}, {"_id": {"$oid": "65f0a1b2c3d4e5f6a7b8c9d0"}}]}',
      {
        $or: [
          { at: { $lt: new Date('2024-01-01T00:00:00Z') } },
          { _id: new ObjectId('65f0a1b2c3d4e5f6a7b8c9d0') },
        ],
      },
    );
  });

  it('keeps the order of names that are integers: a document is equal to one of the same order only', () => {
    const value = rawDocument([
      [bsonTypes.int, 'z', int32(1)],
      [bsonTypes.int, '7', int32(1)],
    ]);
    const ne = rawDocument([[bsonTypes.object, '$ne', value]]);
    assert.deepEqual(parse('{"d": {"$ne": {"z": 1, "7": 1}}}'), rawDocument([[bsonTypes.object, 'd', ne]]));
  });

  it('keeps $options beside a pattern', () => {
    assertParsed('{"name": {"$regex": "^A", "$ne": "Ann"}}', { name: { $regex: '^A', $ne: 'Ann' } });
    assertParsed('{"name": {"$regex": "^a", "$options": "i"}}', { name: new BSONRegExp('^a', 'i') });
    const operator =
      '{"name": {"$regex": {"$regularExpression": {"pattern": "^a", "options": ""}}, "$options": "i"}}';
    assertParsed(operator, { name: { $regex: new BSONRegExp('^a'), $options: 'i' } });
  });

  for (const [text, message] of [
    ['{age: 30}', /^--filter is not JSON: line 1, column 2: names and texts must be in double quotes$/],
    ['{"_id": {"$oid": "65f0"}}', /^--filter is not Extended JSON: \{"\$oid": "65f0"\} has no valid value/],
    ['[{"a": 1}]', /^--filter must be an object of fields and what they must match$/],
    ['30', /^--filter must be an object/],
    ['null', /^--filter must be an object/],
    ['{"$oid": "65f0a1b2c3d4e5f6a7b8c9d0"}', /^--filter must be an object/],
    ['{"a": 1, "b": 2, "a": 3}', /^--filter has the name "a" twice in one object$/],
    ['{"$or": [{"a": {"$gt": 1, "$gt": 2}}]}', /^--filter has the name "\$gt" twice in one object$/],
  ] as const) {
    it(`refuses ${text}`, () => {
      assert.throws(
        () => parseFilter(text, '--filter'),
        (error) => {
          assert.ok(error instanceof UsageError);
          assert.equal(error.exitCode, ExitCode.usage);
          assert.match(error.message, message);
          return true;
        },
      );
    });
  }
});

describe('describeFilter', () => {
  it('is canonical Extended JSON, as the ledgers of earlier versions have it', () => {
    const filter =
      '{"age": {"$gte": 30}, "at": {"$lt": {"$date": "2024-01-01T00:00:00Z"}}, "t": "a\\u0000b"}';
    assert.equal(
      describeFilter(parse(filter)),
      '{"age":{"$gte":{"$numberInt":"30"}},"at":{"$lt":{"$date":{"$numberLong":"1704067200000"}}},"t":"a\\u0000b"}',
    );
  });

  it('can be parsed to the same filter', () => {
    const names = fc.uniqueArray(key, { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(names, fc.array(value, { minLength: 5, maxLength: 5 }), (keys, values) => {
        const members = new Map(keys.map((name, index) => [`x${name}`, values[index] ?? null]));
        let parsed: Buffer;
        try {
          parsed = parse(toExtendedJson(members, 'canonical'));
        } catch (error) {
          // A name such as $oid makes a value of its object, or none.
          assert.match(String(error), /has no valid value/);
          return;
        }
        assert.deepEqual(parse(describeFilter(parsed)), parsed);
      }),
    );
  });
});

describe('narrow', () => {
  const page = serialize({ _id: { $gt: 5 } });

  it('reads the whole page without a filter', () => {
    assert.equal(narrow(page, undefined), page);
  });

  it('combines both, so that a filter on _id and that of the page both apply', () => {
    const filter = serialize({ _id: { $gt: 1 } });
    assert.deepEqual(deserialize(narrow(page, filter)), { $and: [{ _id: { $gt: 5 } }, { _id: { $gt: 1 } }] });
    assert.equal(narrow(serialize({}), filter), filter);
  });
});
