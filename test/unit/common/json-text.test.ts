import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { UsageError } from '../../../src/common/errors.ts';
import { parseJson } from '../../../src/common/json-text.ts';

describe('parseJson', () => {
  it('reads JSON', () => {
    assert.deepEqual(parseJson('{"a": [1, "x", null]}', 'FILTER'), { a: [1, 'x', null] });
  });

  for (const [text, place] of [
    ['{age: 30}', 'line 1, column 2: names and texts must be in double quotes'],
    ['{"a": x}', 'line 1, column 7: names and texts must be in double quotes'],
    ['{\n  "a": 1,\n}', 'line 3, column 1: a name in double quotes must come here'],
    ['{"a": 1', 'line 1, column 8: a closing } is missing'],
    ['[1 2]', 'line 1, column 4: a comma must come here'],
    ['', 'line 1, column 1: a value must come here'],
    ['{"a": "\\q"}', 'line 1, column 7: this text has an escape that JSON does not know'],
    ['/* note */ {}', 'line 1, column 1: JSON has no comments'],
  ] as const) {
    it(`says where ${JSON.stringify(text)} is wrong`, () => {
      assert.throws(
        () => parseJson(text, 'FILTER'),
        (error) => error instanceof UsageError && error.message === `FILTER is not JSON: ${place}`,
      );
    });
  }
});
