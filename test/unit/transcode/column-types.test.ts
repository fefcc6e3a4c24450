import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { columnTypeNames } from '../../../src/transcode/column-types/names.ts';
import { columnTypes, valueKinds } from '../../../src/transcode/column-types/registry.ts';

describe('column types', () => {
  for (const name of columnTypeNames) {
    const { kind, bsonType, widened = {}, takes } = columnTypes[name];

    it(`${name} accepts the values of its own BSON type`, () => {
      const taken = takes({ field: 'f', column: 'c', type: name }, 'reject');
      assert.ok(typeof taken === 'string' ? bsonType === null : bsonType !== null && bsonType in taken);
    });

    it(`${name} fits an existing column of its type`, () => {
      assert.ok(valueKinds[kind].planTypes.includes(name));
    });

    it(`${name} widens with another type in either order`, () => {
      for (const other of columnTypeNames) {
        assert.equal(widened[other], columnTypes[other].widened?.[name], other);
      }
    });
  }
});
