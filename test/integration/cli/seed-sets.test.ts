import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ExitCode } from '../../../src/common/errors.ts';
import { runCli } from '../../support/cli.ts';
import { createSandbox } from '../../support/servers.ts';

describe('seed --set', () => {
  it('fills the collection of the set, or another, and adds to it', async () => {
    const sandbox = await createSandbox();
    try {
      const seed = (...args: string[]) => runCli(['seed', ...args], sandbox.env);
      const made = await seed('--set', 'sales', '--amount', '30');
      assert.equal(made.code, ExitCode.ok, made.stderr);
      const again = await seed('--set', 'sales', '--amount', '30');
      assert.equal(again.code, ExitCode.source);
      assert.match(again.stderr, /already has documents/);
      assert.equal(
        (await seed('--set', 'sales', '--amount', '5', '--if-exists', 'append')).code,
        ExitCode.ok,
      );
      assert.equal(await sandbox.db.collection('sales').countDocuments(), 35);
      const elsewhere = await seed('--set', 'films', '--amount', '7', '--mongo-collection', 'movies');
      assert.equal(elsewhere.code, ExitCode.ok, elsewhere.stderr);
      assert.equal(await sandbox.db.collection('movies').countDocuments(), 7);
      const live = await seed('--set', 'films', '--live', '1');
      assert.equal(live.code, ExitCode.usage);
      assert.match(live.stderr, /--live changes users, not a sample set/);
    } finally {
      await sandbox.remove();
    }
  });
});
