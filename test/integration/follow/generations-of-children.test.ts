/** Generations of documents that have rows in a child table, and fields in the extra column. */

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { ExitCode } from '../../../src/common/errors.ts';
import type { ProofState } from '../../../src/observe/follow-events.ts';
import { makeDirectory, waitUntil } from '../../support/embedded.ts';
import { assertCode } from '../../support/fault.ts';
import { inline, setFollowScene } from '../../support/follow-scene.ts';
import { planWithLines } from '../../support/plan-with-lines.ts';

describe('documents that are compared again', () => {
  it('have their child rows and extra columns compared as well, also at the cutover', async (t) => {
    const scene = await setFollowScene(t, 300);
    const { collection } = scene;
    const lines = [{ sku: 'a', more: 1 }, { sku: 'b' }];
    await collection.updateMany({}, { $set: { lines, rest: { of: 'the document' } } });
    const path = join(await makeDirectory(t), 'plan.json');
    await writeFile(path, JSON.stringify(planWithLines));
    const env = { ...inline, VERIFY_SHARE: '100%' };
    const following = scene.follow(env, '--plan', path);
    const untilProven = async (isWanted: (proof: ProofState) => boolean): Promise<void> => {
      const reported = following.events.length;
      await following.until('following', (event) => {
        const proof = event.collections[0]?.proof ?? null;
        const isNew = following.events.indexOf(event) >= reported;
        return isNew && proof?.verifiedAt != null && isWanted(proof);
      });
    };
    await untilProven(({ unverified }) => unverified === 0);
    await collection.updateMany({ even: true }, { $push: { lines: { sku: 'c' } } } as never);
    await collection.updateOne({ _id: 1 as never }, { $set: { rest: { of: 'another' } } });
    await collection.deleteOne({ _id: 3 as never });
    await scene.untilMerged(following);
    await untilProven(({ unverified, different }) => unverified === 0 && different === 0);

    // A wrong row that a merge writes is found in any table: each of these is written by the merge's own transaction.
    const [{ extra } = { extra: '' }] = await scene.query<{ extra: string }>(
      `SELECT attname AS extra FROM pg_attribute WHERE attrelid = 'things'::regclass AND atttypid = 'jsonb'::regtype ORDER BY attnum DESC LIMIT 1`,
    );
    await scene.query(
      `CREATE FUNCTION tamper() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN NEW.sku := 'tampered'; RETURN NEW; END $$;
       CREATE TRIGGER tamper BEFORE INSERT ON thing_lines FOR EACH ROW WHEN (NEW.thing_id = '5') EXECUTE FUNCTION tamper();
       CREATE FUNCTION tamper_extra() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN NEW."${extra}" := '{"rest": "tampered"}'; RETURN NEW; END $$;
       CREATE TRIGGER tamper BEFORE INSERT OR UPDATE ON things FOR EACH ROW WHEN (NEW.id = '7') EXECUTE FUNCTION tamper_extra()`,
    );
    await collection.updateMany({ _id: { $in: [5, 7] as never[] } }, { $set: { text: 'changed' } });
    await scene.untilMerged(following);
    await untilProven(({ different }) => different === 2);
    const refused = await scene.run(env, 'cutover');
    assertCode(refused, ExitCode.different);
    await scene.query('DROP TRIGGER tamper ON thing_lines; DROP TRIGGER tamper ON things');
    await collection.updateMany({ _id: { $in: [5, 7] as never[] } }, { $set: { text: 'healed' } });
    await scene.untilMerged(following);
    const done = await scene.run(env, 'cutover');
    assertCode(done, ExitCode.ok);
    assert.match(done.stdout, /"verifiedBefore":\d+/, 'not all was compared again');
    assert.equal((await following.result).code, ExitCode.ok);
  });

  it('resume after a restart during a check of the tables, and after one', async (t) => {
    const scene = await setFollowScene(t, 300);
    const env = { ...inline, VERIFY_SHARE: '100%' };
    const first = scene.follow(env);
    await first.until('following', ({ collections }) => collections[0]?.proof?.verifiedAt != null);
    // As if more had been merged than the limit that delays a check.
    await scene.query(
      `INSERT INTO mongo2pg.merges SELECT stream_id, collection_no, '3'::xid FROM mongo2pg.verifications, generate_series(1, 100001)`,
    );
    const lock = 'LOCK TABLE things IN ACCESS EXCLUSIVE MODE';
    await scene.query('BEGIN');
    await scene.query(lock);
    await waitUntil('the look through the table waits for it', async () => {
      const found = await scene.query(
        `SELECT FROM pg_stat_activity WHERE application_name = 'mongo2pg verification' AND wait_event_type = 'Lock'`,
      );
      return found.length > 0;
    });
    first.process.kill('SIGKILL');
    await first.result;
    await scene.query('COMMIT');
    const countMerges = async (): Promise<number> => {
      const rows = await scene.query<{ n: number }>('SELECT count(*)::int AS n FROM mongo2pg.merges');
      return rows[0]?.n ?? 0;
    };
    assert.ok((await countMerges()) > 100_000, 'what was not looked through is not forgotten');
    await scene.collection.updateMany({ even: true }, { $set: { text: 'between' } });
    const second = scene.follow(env);
    await second.until('following');
    await waitUntil('the tables were looked through', async () => (await countMerges()) < 100_000);
    await scene.untilMerged(second);
    await second.stop();
    await scene.collection.updateMany({ even: false }, { $set: { text: 'after' } });
    const third = scene.follow({ ...env, VERIFY_SHARE: '0%' });
    await scene.untilMerged(third);
    const done = await scene.run(env, 'cutover');
    assertCode(done, ExitCode.ok);
    assert.match(done.stdout, /"verifiedBefore":\d+/, 'not all was compared again');
    assert.equal((await third.result).code, ExitCode.ok);
    await scene.assertEqual();
  });
});
