/** Documents with arrays of arrays inside are changed at random while they are followed: all tables have what the documents have. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createRandom } from '../../../src/common/random.ts';
import { ExitCode } from '../../../src/common/errors.ts';
import { makeDirectory } from '../../support/embedded.ts';
import { assertCode } from '../../support/fault.ts';
import { inline, setFollowScene, type FollowScene } from '../../support/follow-scene.ts';
import { makeShape, shapeNames } from '../../support/followed-shapes.ts';
import {
  changeNestedDocuments,
  makeNestedThing,
  makeSoundThing,
  type NestedThing,
} from '../../support/nested-documents.ts';
import { assertReassembled, listLetters } from '../../support/reassembled-tables.ts';

const seed = Number(process.env.TEST_SEED ?? 1);
const count = 200;
const rounds = 4;
const changesPerRound = 150;

/** Inner rows are no longer deleted by cascade. */
async function dropForeignKeys(scene: FollowScene): Promise<void> {
  const keys = await scene.query<{ statement: string }>(
    `SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) AS statement
       FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace`,
  );
  assert.ok(keys.length >= 3, 'one for each child table');
  for (const { statement } of keys) await scene.query(statement);
}

describe(`random changes of documents with arrays inside, of the seed ${seed},`, () => {
  for (const [number, name] of shapeNames.entries()) {
    // Red where child rows of any level are not deleted before they are inserted again.
    it(`are in the tables of: ${name}`, async (t) => {
      const random = createRandom(seed * 100 + number);
      const scene = await setFollowScene(t, 1);
      const things = scene.db.collection<NestedThing>('things');
      await things.deleteMany({});
      await things.insertMany(Array.from({ length: count }, (_, _id) => makeNestedThing(random, _id)));
      const { env, expect } = await makeShape(name, await makeDirectory(t), 'things');
      const ids = { next: count };
      const requireEqual = () => assertReassembled(scene.collection, scene.client, expect);
      const following = scene.follow({ ...inline, ...env });
      await following.until('following');
      await requireEqual();
      for (let round = 0; round < rounds; round++) {
        if (round === rounds / 2) await dropForeignKeys(scene);
        for (let n = 0; n < changesPerRound; n++) await changeNestedDocuments(things, random, ids);
        await scene.untilMerged(following);
        await requireEqual();
      }
      for (const id of await listLetters(scene.collection, expect)) {
        const _id = id as number;
        if (random.chance(0.3)) await things.deleteOne({ _id });
        else await things.replaceOne({ _id }, makeSoundThing(random, _id));
      }
      await scene.untilMerged(following);
      assertCode(await scene.run(inline, 'cutover'), ExitCode.ok);
      const { code, stderr } = await following.result;
      assert.equal(code, ExitCode.ok, stderr);
      await requireEqual();
    });
  }
});
