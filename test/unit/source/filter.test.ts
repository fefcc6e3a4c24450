import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Double, Int32, Long, ObjectId, serialize } from 'bson';
import { ExitCode, UsageError } from '../../../src/errors.ts';
import { narrow, parseFilter } from '../../../src/source/filter.ts';

describe('parseFilter', () => {
  it('keeps the BSON type of every number', () => {
    const text =
      '{"a": {"$numberInt": "30"}, "b": 30, "c": 1.5, "d": {"$numberLong": "30"}, "e": {"$numberDouble": "30"}}';
    assert.deepEqual(
      Buffer.from(serialize(parseFilter(text, 'FILTER'))),
      Buffer.from(
        serialize({
          a: new Int32(30),
          b: new Int32(30),
          c: new Double(1.5),
          d: Long.fromNumber(30),
          e: new Double(30),
        }),
      ),
    );
  });

  it('takes operators, dates and ids', () => {
    const text =
      '{"$or": [{"at": {"$lt": {"$date": "2024-01-01T00:00:00Z"}}}, {"_id": {"$oid": "65f0a1b2c3d4e5f6a7b8c9d0"}}]}';
    assert.deepEqual(parseFilter(text, 'FILTER'), {
      $or: [
        { at: { $lt: new Date('2024-01-01T00:00:00Z') } },
        { _id: new ObjectId('65f0a1b2c3d4e5f6a7b8c9d0') },
      ],
    });
  });

  for (const [text, message] of [
    ['{age: 30}', /^--filter is not JSON: line 1, column 2: names and texts must be in double quotes$/],
    ['{"_id": {"$oid": "65f0"}}', /^--filter is not Extended JSON: .*24 character hex/],
    ['[{"a": 1}]', /^--filter must be an object of fields and what they must match$/],
    ['30', /^--filter must be an object/],
    ['null', /^--filter must be an object/],
    ['{"$oid": "65f0a1b2c3d4e5f6a7b8c9d0"}', /^--filter must be an object/],
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

describe('narrow', () => {
  const page = { _id: { $gt: 5 } };

  it('reads the whole page without a filter', () => {
    assert.equal(narrow(page, undefined), page);
  });

  it('asks for both, so that a filter on _id and that of the page both hold', () => {
    const filter = { _id: { $gt: 1 } };
    assert.deepEqual(narrow(page, filter), { $and: [page, filter] });
    assert.equal(narrow({}, filter), filter);
  });
});
