/** What cannot be promoted, and the fix. Nothing is changed. */

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { Double, Long } from 'bson';
import { ExitCode } from '../../../src/common/errors.ts';
import { createClient } from '../../support/date-style.ts';
import { dumpBson } from '../../support/dump.ts';
import { waitUntil } from '../../support/embedded.ts';
import { idOnly, setPromoteScene, withColumns, type PromoteScene } from '../../support/promote.ts';

const documents = [
  {
    ...{ _id: 1, nick: 'a', mixed: 1, 'a.b': 1, taken: 1, void: null, many: Long.fromInt(1) },
    ...{ mapped: 'x', lines: 5, address: 7, city: 'Rome', day: '2024-01-01T00:00:00Z' },
  },
  { _id: 2, nick: 'b', mixed: 'x', many: new Double(2 ** 60), day: new Date(0), gone: 1 },
  { _id: 3, lines: [{ sku: 'x', gift: true }], address: { city: 'Rome' } },
];

const plan = {
  ...withColumns(
    { column: 'mapped', path: 'mapped', type: 'int32' },
    { column: 'city_of', path: 'address.city', type: 'string' },
  ),
  children: [{ path: 'lines', table: 'lines', columns: [{ column: 'sku', path: 'sku', type: 'string' }] }],
  flatten: ['address'],
  drop: ['gone'],
};

const refusals: readonly (readonly [args: readonly string[], code: string, message: RegExp])[] = [
  [[], 'PROMOTION_UNNAMED', /such as: .*promote.* customers nickname/],
  [['things'], 'PROMOTION_UNNAMED', /is missing/],
  [
    ['things', 'nick', '--type', 'varchar'],
    'OPTION_INVALID',
    /--type must be one of objectId, .*not "varchar"/,
  ],
  [['things', 'nick', 'more'], 'COMMAND_LINE', /Unknown argument: more/],
  [['nothing', 'nick'], 'RUN_UNKNOWN', /the ledger has no run into public\.nothing — .*status/],
  [['lines', 'gift'], 'CHILD_TABLE', /lines is a child table of run 1/],
  [['things', 'a.b'], 'FIELD_NESTED', /"a\.b" has a dot.*plan/],
  [['things', 'taken', '--column', '_extra'], 'COLUMN_TAKEN', /already has a column "_extra" — .*--column/],
  [['things', 'taken', '--column', 'mine'], 'COLUMN_TAKEN', /already has a column "mine"/],
  [['things', 'taken', '--column', 'xmin'], 'COLUMN_TAKEN', /already has a column "xmin"/],
  [
    ['things', 'mapped'],
    'FIELD_MAPPED',
    /already maps "mapped": to the column "mapped" — its values in _extra/,
  ],
  [['things', '_id'], 'FIELD_MAPPED', /to the column "_id"/],
  [['things', 'lines'], 'FIELD_MAPPED', /to the child table "public"\."lines"/],
  [['things', 'address'], 'FIELD_MAPPED', /to the columns of what is inside/],
  [['things', 'gone'], 'FIELD_MAPPED', /nowhere, it is dropped/],
  [['things', 'nik'], 'NOTHING_TO_PROMOTE', /no row .* has "nik" in _extra — did you mean .*things nick\?/],
  [['things', 'something else'], 'NOTHING_TO_PROMOTE', /it has .*nick/],
  [
    ['things', 'mixed'],
    'TYPE_UNDECIDED',
    /has values of several types: int 1, string 1 — choose one: --type int32 .*--type json/,
  ],
  [['things', 'void'], 'TYPE_UNDECIDED', /: null 1 — choose one: --type json/],
  [
    ['things', 'nick', '--type', 'int32'],
    'NOTHING_FITS',
    /no value of "nick" fits the type int32: they are string 2/,
  ],
  [
    ['things', 'many', '--type', 'int64'],
    'VALUES_AMBIGUOUS',
    /1 value of "many" may come from different values/,
  ],
];

async function readAll(scene: PromoteScene): Promise<unknown> {
  return [await scene.rows(), await scene.rows('SELECT run_id, settings FROM mongo2pg.runs')];
}

describe('a refused promote', () => {
  it('says how to fix it, and changes nothing', async (t) => {
    const scene = await setPromoteScene(t, documents);
    assert.equal((await scene.copy(plan)).code, ExitCode.ok);
    await scene.client.query('ALTER TABLE things ADD COLUMN mine text');
    const before = await readAll(scene);
    for (const [args, code, message] of refusals) {
      const result = await scene.promote(...args, '--json');
      const reported = `${args.join(' ')}: ${result.stderr}${result.stdout}`;
      assert.ok(result.code === ExitCode.usage || result.code === ExitCode.target, reported);
      assert.match(result.stdout, new RegExp(`"code":"${code}"`), reported);
      assert.match(result.stderr, message, reported);
    }
    assert.deepEqual(await readAll(scene), before);
    // Ambiguous values can be promoted as JSON.
    assert.equal((await scene.promoted('things', 'many', '--type', 'json')).promoted, 2);
    assert.equal(
      (await scene.promoted('public.things', 'mixed', '--type', 'string', '--column', 'm')).promoted,
      1,
    );
    await scene.assertVerified();
  });

  it('is of a value that plain JSON does not distinguish from others', async (t) => {
    const scene = await setPromoteScene(t, documents);
    assert.equal((await scene.copy({ ...idOnly, jsonStyle: 'plain' })).code, ExitCode.ok);
    for (const type of ['date', 'string']) {
      const { stderr } = await scene.promote('things', 'day', '--type', type);
      assert.match(
        stderr,
        /2 values of "day" may come from different values.*plain JSON does not distinguish/,
      );
    }
    // In the documents it is a string only.
    assert.equal((await scene.promoted('things', 'nick')).type, 'string');
    assert.equal((await scene.promoted('things', 'day', '--type', 'json')).promoted, 2);
    await scene.assertVerified();
  });

  it('is of an existing table: it says what to do', async (t) => {
    const scene = await setPromoteScene(t, documents);
    await scene.client.query('CREATE TABLE things (_id integer PRIMARY KEY, _extra jsonb)');
    assert.equal((await scene.copy(null)).code, ExitCode.ok);
    const { code, stderr } = await scene.promote('things', 'nick');
    assert.equal(code, ExitCode.usage);
    assert.match(
      stderr,
      /not created by a run.* — .*ALTER TABLE "public"\."things" ADD COLUMN "nick" text; add {"column":"nick","path":"nick","type":"string"}.*--if-exists truncate/,
    );
  });

  it('is of a table that was dropped, has no key, has the rows of several runs, or of a database without a ledger', async (t) => {
    const scene = await setPromoteScene(t, documents);
    assert.match((await scene.promote('things', 'nick')).stderr, /this database has no ledger/);
    assert.equal((await scene.copy(idOnly)).code, ExitCode.ok);
    await scene.client.query('ALTER TABLE things DROP CONSTRAINT things_pkey');
    assert.match((await scene.promote('things', 'nick')).stderr, /has no primary key/);
    await scene.client.query('ALTER TABLE things RENAME TO other');
    assert.match((await scene.promote('things', 'nick')).stderr, /was dropped since/);
    await scene.client.query('ALTER TABLE other RENAME TO things');
    const folder = dirname(scene.dump);
    await writeFile(join(folder, 'others.bson'), dumpBson([{ _id: 9, nick: 'z' }]));
    await writeFile(join(folder, 'others.json'), JSON.stringify({ ...idOnly, table: 'things' }));
    const [source, planned] = [join(folder, 'others.bson'), join(folder, 'others.json')];
    const appended = await scene.run('--source', source, '--plan', planned, '--if-exists', 'append');
    assert.equal(appended.code, ExitCode.ok, appended.stderr);
    assert.match((await scene.promote('things', 'nick')).stderr, /has rows of 2 runs/);
  });

  it('is of a table whose rows might not fit a page', async (t) => {
    const scene = await setPromoteScene(t, documents);
    const wide = Array.from({ length: 450 }, (_, index) => ({
      column: `c${index}`,
      path: `c${index}`,
      type: 'string',
    }));
    assert.equal((await scene.copy(withColumns(...wide))).code, ExitCode.ok);
    assert.match((await scene.promote('things', 'nick')).stderr, /might not fit a page/);
  });

  it('is of a table that another command loads, or that others keep locked', async (t) => {
    const scene = await setPromoteScene(t, documents);
    assert.equal((await scene.copy(idOnly)).code, ExitCode.ok);
    const lock = `SELECT pg_advisory_lock(hashtextextended('"public"."things"', 6464703))`;
    await scene.client.query(lock);
    const busy = await scene.promote('things', 'nick');
    assert.match(busy.stderr, /another run is loading the table/);
    await scene.client.query('SELECT pg_advisory_unlock_all()');
    await scene.client.query('BEGIN; LOCK TABLE things IN ACCESS SHARE MODE');
    const promoting = scene.promoted('things', 'nick');
    // It waits for the lock without blocking others behind it.
    const other = createClient(scene.env.POSTGRES_URL ?? '');
    await other.connect();
    await other.query("SET statement_timeout = '5s'");
    await waitUntil('the command waits for the table', async () => {
      const { rowCount } = await other.query(
        "SELECT FROM pg_locks WHERE relation = 'things'::regclass AND mode = 'AccessExclusiveLock' AND NOT granted",
      );
      return rowCount === 1;
    });
    const { rows } = await other.query<{ count: string }>('SELECT count(*) FROM things');
    await other.end();
    assert.equal(rows[0]?.count, '3');
    await scene.client.query('COMMIT');
    assert.equal((await promoting).promoted, 2);
  });
});
