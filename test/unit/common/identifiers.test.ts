import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nameColumns, toIdentifier } from '../../../src/common/identifiers.ts';

describe('nameColumns', () => {
  it('keeps every name that Postgres can have', () => {
    const fields = ['_id', 'Name', 'name', '$x', 'a.b', 'a b', '"', 'sélect', '__proto__'];
    assert.deepEqual(nameColumns(fields), fields);
  });

  it('distinguishes names that are equal in their first 63 bytes', () => {
    const [first = '', second = ''] = nameColumns([`${'a'.repeat(70)}1`, `${'a'.repeat(70)}2`]);
    assert.notEqual(first, second);
    assert.ok(Buffer.byteLength(first) <= 63 && Buffer.byteLength(second) <= 63);
  });

  it('cuts between characters', () => {
    const [name = ''] = nameColumns(['é'.repeat(40)]);
    assert.ok(Buffer.byteLength(name) <= 63);
    assert.match(name, /^é+_[0-9a-f]{8}$/);
  });

  it('keeps the name of a field that equals the truncated name of another', () => {
    const long = 'a'.repeat(70);
    const cut = toIdentifier(long);
    assert.deepEqual(nameColumns([cut])[0], cut);
    const [nameOfLong, nameOfCut] = nameColumns([long, cut]);
    assert.equal(nameOfCut, cut);
    assert.notEqual(nameOfLong, cut);
  });

  it('renames what Postgres cannot have: an empty name, and the system columns', () => {
    const names = nameColumns(['', 'ctid', 'xmin', '_']);
    assert.equal(new Set(names).size, 4);
    assert.equal(names[3], '_');
    for (const name of names) assert.ok(!['', 'ctid', 'xmin'].includes(name));
  });

  it('gives the same names every time', () => {
    const fields = ['a'.repeat(70), '', 'ctid'];
    assert.deepEqual(nameColumns(fields), nameColumns(fields));
  });
});
