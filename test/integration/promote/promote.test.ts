/** A field of a finished copy gets a column of its own, and the result is as if it had had that from the start. */

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { Double, Int32, Long, ObjectId } from 'bson';
import { jsonStyles, type JsonStyle } from '../../../src/bson/json/json-style.ts';
import { ExitCode } from '../../../src/common/errors.ts';
import { createRandom } from '../../../src/common/random.ts';
import { waitUntil } from '../../support/embedded.ts';
import { idOnly, setPromoteScene, withColumns, type PromoteScene } from '../../support/promote.ts';
import { usualFields, ValueMaker } from '../../support/random-documents.ts';
import { int32, rawDocument, type RawElement } from '../../support/raw-bson.ts';

const column = (name: string, type: string, more: object = {}) => ({
  ...{ column: name, path: [name], type },
  ...more,
});

/** Documents with a field for each type, most of which have values of it; all is in the extra column. */
async function setRandomScene(t: TestContext, jsonStyle: JsonStyle): Promise<PromoteScene> {
  const random = createRandom(20_261_129);
  const values = new ValueMaker(random, 0.1);
  // In plain style other values must not look like it.
  const others =
    jsonStyle === 'plain'
      ? (['array', 'null', 'object'] as const)
      : (['array', 'null', 'object', 'rare'] as const);
  const documents = Array.from({ length: 1_500 }, (_, index) => {
    const elements = usualFields.flatMap(([name, , make]): RawElement[] => {
      if (random.chance(0.2)) return [];
      const [type, bytes] = random.chance(0.1)
        ? values[random.pick<keyof ValueMaker>(others)]()
        : values[make]();
      return [[type, name, bytes]];
    });
    return rawDocument([[0x10, '_id', int32(index)], ...elements]);
  });
  const scene = await setPromoteScene(t, documents);
  const copied = await scene.copy({ ...idOnly, jsonStyle });
  assert.ok(copied.code === ExitCode.ok || copied.code === ExitCode.deadLetters, copied.stderr);
  await scene.assertVerified();
  return scene;
}

describe('a promoted field', () => {
  for (const jsonStyle of jsonStyles) {
    it(`of any type equals that of a copy with its column, in ${jsonStyle} JSON`, async (t) => {
      const scene = await setRandomScene(t, jsonStyle);
      let promoted = 0;
      for (const [name, type] of usualFields) {
        const summary = await scene.promoted('things', name, '--type', type);
        assert.equal(summary.type, type);
        promoted += summary.promoted;
      }
      assert.ok(promoted > 5_000, `${promoted} values`);
      await scene.assertVerified();
      const columns = usualFields.map(([name, type]) => column(name, type));
      await scene.assertAsCopiedBy({ ...withColumns(...columns), jsonStyle });
    });
  }

  for (const [jsonStyle, ambiguous] of [
    ['canonical', []],
    ['relaxed', ['count_of_things', 'd', 'price']],
    ['plain', null],
  ] as const) {
    it(`equals it also if the ledger does not know its types, or is refused, in ${jsonStyle} JSON`, async (t) => {
      const scene = await setRandomScene(t, jsonStyle);
      // As if it had been followed.
      await scene.client.query(
        `INSERT INTO mongo2pg.streams (source_db, table_schema, selection, start_time, token, token_time, server_time, ended_at)
         VALUES ('d', 'public', 'things', 1, '', 1, 1, now());
         INSERT INTO mongo2pg.stream_collections (stream_id, collection_no, collection, run_id) VALUES (1, 1, 'things', 1)`,
      );
      const refused: string[] = [];
      const promoted: object[] = [];
      for (const [name, type] of usualFields) {
        const result = await scene.promote('things', name, '--type', type, '--json');
        if (result.code === ExitCode.ok) promoted.push(column(name, type));
        else refused.push(name);
        assert.ok(
          result.code === ExitCode.ok || /VALUES_AMBIGUOUS|NOTHING_FITS/.test(result.stdout),
          result.stdout,
        );
      }
      assert.ok(
        ambiguous === null || refused.every((name) => ambiguous.some((one) => one === name)),
        refused.join(),
      );
      assert.ok(
        promoted.length >= (ambiguous === null ? 2 : 10),
        `${promoted.length} of ${usualFields.length}`,
      );
      t.diagnostic(`refused: ${refused.join(', ')}`);
      await scene.assertVerified();
      await scene.assertAsCopiedBy({ ...withColumns(...promoted), jsonStyle });
    });
  }

  it('is moved, with null and missing as NULL, and an empty _extra as NULL', async (t) => {
    const scene = await setPromoteScene(t, [
      { _id: 1, nick: 'a' },
      { _id: 2, nick: null },
      { _id: 3, nick: 'b', other: 1 },
      { _id: 4 },
      { _id: 5, nick: 7 },
    ]);
    await scene.copy(idOnly);
    const summary = await scene.promoted('things', 'nick', '--type', 'string');
    assert.deepEqual(await scene.rows(), [
      { _id: 1, _extra: null, nick: 'a' },
      { _id: 2, _extra: null, nick: null },
      { _id: 3, _extra: { other: 1 }, nick: 'b' },
      { _id: 4, _extra: null, nick: null },
      { _id: 5, _extra: { nick: 7 }, nick: null },
    ]);
    assert.deepEqual([summary.promoted, summary.nulls, summary.left], [2, 1, { int: 1 }]);
    await scene.assertVerified();
    await scene.assertAsCopiedBy(withColumns(column('nick', 'string')));
  });

  it('has the type of its values in the documents, also if JSON does not show it', async (t) => {
    const id = new ObjectId('65f0a1b2c3d4e5f6a7b8c9d0');
    const scene = await setPromoteScene(
      t,
      Array.from({ length: 5 }, (_, _id) => ({
        _id,
        small: Long.fromInt(_id),
        whole: new Double(_id),
        // 2 ** 60: to JSON 1152921504606847000, which an int64 is as well.
        large: new Double(2 ** 60),
        snow: Long.fromString('1152921504606847000'),
        mixed: _id % 2 === 0 ? new Int32(1) : new Double(1.5),
        id,
      })),
    );
    await scene.copy(idOnly);
    const types: Record<string, string> = {};
    for (const field of ['small', 'whole', 'large', 'snow', 'mixed', 'id']) {
      types[field] = (await scene.promoted('things', field)).type;
    }
    assert.deepEqual(types, {
      ...{ small: 'int64', whole: 'double', large: 'double', snow: 'int64' },
      ...{ mixed: 'double', id: 'objectId' },
    });
    await scene.assertVerified();
    await scene.assertAsCopiedBy(
      withColumns(...Object.entries(types).map(([name, type]) => column(name, type))),
    );
  });

  it('is moved by the index of the key, with any number of rows', async (t) => {
    const documents = Array.from({ length: 12_000 }, (_, _id) => ({ _id, score: _id, pad: 'x'.repeat(50) }));
    const scene = await setPromoteScene(t, documents);
    await scene.copy(idOnly);
    const scans = async (): Promise<{ all: number; byKey: number }> => {
      const [row] = await scene.rows<{ all: string; byKey: string }>(
        `SELECT seq_scan AS all, idx_scan AS "byKey" FROM pg_stat_user_tables WHERE relname = 'things'`,
      );
      return { all: Number(row?.all), byKey: Number(row?.byKey) };
    };
    await waitUntil('the scans of the copy are counted', async () => (await scans()).all > 0);
    const before = await scans();
    assert.equal((await scene.promoted('things', 'score')).promoted, documents.length);
    // Pages are read twice, and written once.
    await waitUntil('those of the promotion are', async () => (await scans()).byKey >= before.byKey + 12);
    assert.equal((await scans()).all, before.all);
  });

  it('works with the results of a transform, and with the documents that match a filter', async (t) => {
    const scene = await setPromoteScene(
      t,
      Array.from({ length: 9 }, (_, _id) => ({ _id, nick: `N${_id}`, secret: _id })),
    );
    const transform = join(dirname(scene.dump), 'lower.mjs');
    await writeFile(
      transform,
      'export default ({ secret, ...rest }) => ({ ...rest, nick: rest.nick.toLowerCase(), length: 2 });',
    );
    const copied = await scene.copy(idOnly, '--transform', transform, '--filter', '{"_id": {"$gte": 7}}');
    assert.equal(copied.code, ExitCode.ok, copied.stderr);
    assert.equal((await scene.promoted('things', 'nick')).promoted, 2);
    assert.equal((await scene.promoted('things', 'length')).type, 'int32');
    assert.deepEqual(await scene.rows(), [
      { _id: 7, _extra: null, nick: 'n7', length: 2 },
      { _id: 8, _extra: null, nick: 'n8', length: 2 },
    ]);
    await scene.assertVerified();
  });
});
