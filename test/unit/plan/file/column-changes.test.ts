import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { UsageError } from '../../../../src/common/errors.ts';
import { checkPlanFile } from '../../../../src/plan/file/plan-file.ts';
import { resolvePlan } from '../../../../src/plan/file/resolve-plan.ts';

const id = { column: '_id', path: '_id', type: 'int32' };
const text = { column: 'a', path: 'a', type: 'string' };
const masked = { ...text, mask: 'redact' };

function refusalOf(plan: object): string {
  try {
    checkPlanFile({ columns: [id], ...plan }, 'plan.json');
  } catch (error) {
    assert.ok(error instanceof UsageError);
    return error.message.replace('the plan plan.json is not valid: ', '');
  }
  assert.fail('was not refused');
}

describe('the value changes of a plan', () => {
  const cases: readonly (readonly [plan: object, message: RegExp])[] = [
    [{ columns: [{ ...id, default: 1 }] }, /^columns\[0\]: the _id is not to be changed/],
    [
      { columns: [id, { ...masked, type: 'int32' }] },
      /^columns\[1\]\.mask: .* the type of its column is string/,
    ],
    [{ columns: [id, { ...text, mask: 'sha256' }] }, /^columns\[1\]\.salt: is missing/],
    [{ columns: [id, { ...masked, salt: 'x' }] }, /^columns\[1\]\.salt: only the mask sha256 has one/],
    [
      { columns: [id, { ...text, mask: 'hide' }] },
      /^columns\[1\]\.mask: must be one of redact, last4, sha256/,
    ],
    [
      { columns: [id, masked, { column: 'b', path: 'a.b', type: 'string' }] },
      /^columns\[1\]\.mask: columns\[2\] is of a value inside of what is masked/,
    ],
    [{ columns: [id, { ...text, default: 7 }] }, /^columns\[1\]\.default: 7 is no value of the type string/],
    [{ columns: [id, { ...text, default: 'a\0' }] }, /^columns\[1\]\.default: .* is no value of/],
    [
      { columns: [id, { ...text, array: true, default: 'x' }] },
      /^columns\[1\]\.default: "x" is no array of string/,
    ],
    [{ constants: [{ column: 'a', type: 'int32', value: 1.5 }] }, /^constants\[0\]\.value: 1\.5 is no value/],
    [{ constants: [{ column: 'a', type: 'int32' }] }, /^constants\[0\]\.value: is missing/],
    [
      { constants: [{ column: '_id', type: 'int32', value: 1 }] },
      /^constants\[0\]\.column: "_id" is the name in/,
    ],
    [
      { generated: [{ column: '_extra', type: 'text', expression: 'a' }] },
      /^extraColumn: "_extra" is the name in generated\[0\]\.column already/,
    ],
    [
      { children: [{ path: 'l', table: 't', columns: [{ ...text, mask: 'sha256' }] }] },
      /^children\[0\]\.columns\[0\]\.salt: is missing/,
    ],
  ];
  for (const [plan, message] of cases) {
    it(`is refused: ${message.source}`, () => {
      assert.match(refusalOf(plan), message);
    });
  }

  it('becomes changes of fields, constants and generated columns', () => {
    const file = checkPlanFile(
      {
        columns: [
          id,
          { ...text, path: 'x.y', lowercase: true, mask: 'sha256', salt: 's', default: 'none' },
          { column: 'tags', path: 'tags', type: 'string', array: true, lowercase: true, default: ['x'] },
        ],
        constants: [{ column: 'c', type: 'int64', value: { $numberLong: '3' } }],
        generated: [{ column: 'g', type: 'text', expression: 'lower(a)' }],
        children: [
          {
            path: 'l.m',
            table: 't',
            columns: [masked],
            children: [
              { path: 'n', table: 'u', columns: [{ column: 'e', path: [], type: 'string', mask: 'last4' }] },
            ],
          },
        ],
      },
      'plan.json',
    );
    const plan = resolvePlan(file, { collection: 'd.c', schema: 'public', table: 'c' });
    assert.deepEqual(plan.columns.at(-1), { field: 'mongo2pg.constant.c', column: 'c', type: 'int64' });
    assert.deepEqual(plan.generated, [{ column: 'g', type: 'text', expression: 'lower(a)' }]);
    assert.deepEqual(plan.changes, [
      { path: ['x', 'y'], change: { kind: 'lowercase' } },
      { path: ['x', 'y'], change: { kind: 'sha256', salt: 's' } },
      { path: ['x', 'y'], change: { kind: 'default', value: '{"v":"none"}' } },
      { path: [], arrays: [['tags']], change: { kind: 'lowercase' } },
      { path: ['tags'], change: { kind: 'default', value: '{"v":["x"]}' } },
      { path: ['a'], arrays: [['l', 'm']], change: { kind: 'redact' } },
      { path: [], arrays: [['l', 'm'], ['n']], change: { kind: 'last4' } },
      { path: ['mongo2pg.constant.c'], change: { kind: 'constant', value: '{"v":{"$numberLong":"3"}}' } },
    ]);
  });

  it('a plan without them does not change documents', () => {
    const plan = resolvePlan(checkPlanFile({ columns: [id, text] }, 'plan.json'), {
      ...{ collection: 'd.c', schema: 'public', table: 'c' },
    });
    assert.deepEqual([plan.changes, plan.generated, plan.transform], [undefined, undefined, undefined]);
  });
});
