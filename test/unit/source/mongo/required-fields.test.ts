import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readRequiredFields } from '../../../../src/source/mongo/required-fields.ts';

describe('readRequiredFields', () => {
  it('reads the list of the validator', () => {
    const validator = { $jsonSchema: { bsonType: 'object', required: ['a', 'b'], properties: {} } };
    assert.deepEqual(readRequiredFields({ name: 'users', options: { validator } }), ['a', 'b']);
  });

  for (const [what, info] of [
    ['no options', {}],
    ['no validator', { options: {} }],
    ['a validator of query operators', { options: { validator: { age: { $gte: 0 } } } }],
    ['a schema without a list', { options: { validator: { $jsonSchema: { bsonType: 'object' } } } }],
  ] as const) {
    it(`takes ${what} for none`, () => {
      assert.deepEqual(readRequiredFields(info), []);
    });
  }
});
