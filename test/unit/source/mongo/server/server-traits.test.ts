import assert from 'node:assert/strict';
import { it } from 'node:test';
import { traitsOf } from '../../../../../src/source/mongo/server/server-traits.ts';

it('only FerretDB 1 is read through one cursor, with a notice', () => {
  const ferret = traitsOf({ version: '7.0.42', ferretdbVersion: 'v1.24.2' });
  assert.equal(ferret.scansForPages, true);
  assert.match(String(ferret.notice), /FerretDB v1\.24\.2 .* one cursor/);
  for (const other of [{ version: '8.0.4' }, { version: '7.0.77', ferretdb: { version: 'v2.1.0' } }, {}]) {
    assert.deepEqual(traitsOf(other), { scansForPages: false, notice: null });
  }
});
