import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { columnTypeNames } from '../../../src/transcode/column-types/names.ts';
import { columnTypes, valueKinds } from '../../../src/transcode/column-types/registry.ts';

describe('the types of columns', () => {
  for (const name of columnTypeNames) {
    const { kind, bsonType, widened = {}, takes } = columnTypes[name];

    it(`says of ${name} that it takes the values of its own BSON type`, () => {
      const taken = takes({ field: 'f', column: 'c', type: name }, 'reject');
      assert.ok(typeof taken === 'string' ? bsonType === null : bsonType !== null && bsonType in taken);
    });

    it(`says of ${name} that a table with such a column agrees with a plan of it`, () => {
      assert.ok(valueKinds[kind].planTypes.includes(name));
    });

    it(`widens ${name} with another type to the same, whichever was met first`, () => {
      for (const other of columnTypeNames) {
        assert.equal(widened[other], columnTypes[other].widened?.[name], other);
      }
    });
  }
});
