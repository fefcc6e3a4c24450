import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { resolvePlan } from '../../../../src/plan/file/resolve-plan.ts';

const defaults = { collection: 'school.users', schema: 'public', table: 'users' };

describe('resolvePlan', () => {
  it('turns paths into fields and nested values', () => {
    const plan = resolvePlan(
      {
        columns: [
          { column: 'id', path: '_id', type: 'objectId', notNull: true, seen: 'objectId 100%' },
          { column: 'city', path: 'address.city', type: 'string' },
          { column: 'dotted', path: ['a.b'], type: 'json', notNull: true },
          { column: 'raw', path: 'raw', type: 'binary', subtype: 128 },
          { column: 'both', path: ['a.b', 'c'], type: 'int32' },
        ],
      },
      defaults,
    );
    assert.deepEqual(plan, {
      ...defaults,
      columns: [
        { field: '_id', column: 'id', type: 'objectId', isRequired: true },
        { field: 'address', path: ['city'], column: 'city', type: 'string' },
        { field: 'a.b', column: 'dotted', type: 'json', isRequired: true },
        { field: 'raw', column: 'raw', type: 'binary', subtype: 128 },
        { field: 'a.b', path: ['c'], column: 'both', type: 'int32' },
      ],
      extraColumn: '_extra',
    });
  });

  it('prefers the file to the defaults', () => {
    const columns = [{ column: '_id', path: '_id', type: 'json' as const }];
    const plan = resolvePlan(
      {
        schema: 'app',
        table: 'people',
        jsonStyle: 'plain',
        nul: 'strip',
        columns,
        extraColumn: 'rest',
        drop: ['a', ['b.c']],
      },
      { ...defaults, jsonStyle: 'relaxed', nul: 'reject' },
    );
    assert.deepEqual(plan, {
      collection: 'school.users',
      schema: 'app',
      table: 'people',
      jsonStyle: 'plain',
      nul: 'strip',
      columns: [{ field: '_id', column: '_id', type: 'json' }],
      extraColumn: 'rest',
      dropped: ['a', 'b.c'],
    });
  });

  it('keeps whole documents if the file says so', () => {
    const columns = [{ column: '_id', path: '_id', type: 'json' as const }];
    assert.equal(resolvePlan({ columns, keepsWhole: true }, defaults).keepsWhole, true);
    assert.ok(!('keepsWhole' in resolvePlan({ columns, keepsWhole: false }, defaults)));
  });
});
