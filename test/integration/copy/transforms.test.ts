import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { deserialize, Double, Int32, Long, type Document, type ObjectId } from 'bson';
import { ExitCode } from '../../../src/common/errors.ts';
import { everyPool, plainPool, runCli, type CliResult } from '../../support/cli.ts';
import { ModuleFiles } from '../../support/module-files.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';

describe('a transform', () => {
  let sandbox: Sandbox;
  let modules: ModuleFiles;
  before(async () => {
    sandbox = await createSandbox();
    modules = await ModuleFiles.create();
  });
  after(async () => {
    await modules.remove();
    await sandbox.remove();
  });

  async function run(
    collection: string,
    text: string,
    env: Record<string, string> = {},
    args: readonly string[] = [],
  ): Promise<CliResult> {
    const file = await modules.write(`${collection}.mjs`, text);
    return await runCli(args, {
      ...sandbox.env,
      MONGO_COLLECTION: collection,
      CLUSTER_IMPLEMENTATION: plainPool,
      TRANSFORM: file,
      ...env,
    });
  }

  async function migrate(
    collection: string,
    documents: Document[],
    text: string,
    env: Record<string, string> = {},
  ): Promise<CliResult> {
    await sandbox.db.collection(collection).insertMany(documents);
    return await run(collection, text, env);
  }

  async function query(sql: string): Promise<Record<string, unknown>[]> {
    const { rows } = await sandbox.client.query<Record<string, unknown>>(sql);
    return rows;
  }

  const several = `export default (document, { bson }) => {
    if (document.kind === 'drop') return null;
    if (document.kind === 'throw') throw new TypeError('no ' + document.kind);
    if (document.kind === 'two') return [1, 2].map((n) => ({ ...document, _id: document._id * 10 + n, n }));
    return { ...document, n: 0, price: document.price * 2, total: document.total + 1n };
  };`;
  const documents = (): Document[] => [
    { _id: 1, kind: 'one', price: new Double(1.5), total: Long.fromNumber(2 ** 40) },
    { _id: 2, kind: 'drop' },
    { _id: 3, kind: 'two' },
    { _id: 4, kind: 'throw' },
    { _id: 5, kind: 'drop' },
    { _id: 6, kind: 'one', price: new Double(3), total: Long.fromNumber(1) },
  ];

  for (const pool of everyPool) {
    it(`changes, drops and multiplies documents, and the counts agree (${pool})`, async () => {
      const name = `account_${pool}`;
      const first = await migrate(name, documents(), several, { CLUSTER_IMPLEMENTATION: pool });
      assert.equal(first.code, ExitCode.deadLetters, first.stderr);
      assert.match(first.stdout, /read 6 = copied 3 \(4 rows\) \+ dead-lettered 1 \+ dropped 2/);
      assert.match(first.stdout, /4 rows in .*, counted by Postgres/);
      assert.deepEqual(await query(`SELECT _id, n, price, total FROM ${name} ORDER BY _id`), [
        { _id: 1, n: 0, price: 3, total: String(2 ** 40 + 1) },
        { _id: 6, n: 0, price: 6, total: '2' },
        { _id: 31, n: 1, price: null, total: null },
        { _id: 32, n: 2, price: null, total: null },
      ]);
      const [letter = {}] =
        await query(`SELECT reason, document_id, detail, document FROM mongo2pg.dead_letters d
        JOIN mongo2pg.runs USING (run_id) WHERE table_name = '${name}'`);
      assert.deepEqual(letter.document_id, '{"$numberInt":"4"}');
      assert.equal(letter.reason, 'transform_error');
      assert.match(
        String(letter.detail),
        /^TypeError: no throw\n {4}at default.*account_\w+\.mjs:3:\d+\)?$/s,
      );
      assert.deepEqual(deserialize(letter.document as Buffer), { _id: 4, kind: 'throw' });
    });
  }

  it('the counts are in the ledger, the status, and the JSON output; and verify compares the results', async () => {
    await migrate('everywhere', documents(), several);
    const env = { ...sandbox.env, MONGO_COLLECTION: 'everywhere' };
    assert.match(
      (await runCli(['status'], env)).stdout,
      /everywhere.*finished\n.*\n {2}read 6 = copied 3 \(4 rows\) \+ dead-lettered 1 \+ dropped 2/,
    );
    const [sums] = await query(`SELECT sum(documents)::int AS read, sum(copied)::int AS copied,
        sum(dead_lettered)::int AS letters, sum(dropped)::int AS dropped, sum(added_rows)::int AS added
      FROM mongo2pg.batches JOIN mongo2pg.runs USING (run_id) WHERE table_name = 'everywhere'`);
    assert.deepEqual(sums, { read: 6, copied: 3, letters: 1, dropped: 2, added: 1 });
    const equal = await runCli(['verify'], env);
    assert.equal(equal.code, ExitCode.ok, equal.stdout + equal.stderr);
    assert.match(equal.stdout, /compared 6 = equal 3 \+ dead-lettered 1 \+ dropped 2 \+ missing 0/);
    assert.match(equal.stdout, /4 rows, 0 of them too many/);

    await query(`UPDATE everywhere SET n = 7 WHERE _id = 32`);
    const different = await runCli(['verify'], env);
    assert.equal(different.code, ExitCode.different);
    assert.match(different.stdout, /different 1/);
    assert.match(
      different.stdout,
      /different: _id \{"\$numberInt":"3"\}, column "n": "2" in the document, "7"/,
    );

    await query(`DELETE FROM everywhere WHERE _id = 32`);
    const missing = await runCli(['verify', '--json'], env);
    assert.match(missing.stdout, /"missing":1/);

    await query(
      `INSERT INTO everywhere SELECT 32, kind, price, total, 2 FROM everywhere WHERE _id = 31`,
    ).catch(async () => await query(`INSERT INTO everywhere (_id, kind, n) VALUES (32, 'two', 2)`));
    await query(`INSERT INTO everywhere (_id, kind) VALUES (2, 'drop')`);
    const extra = await runCli(['verify'], env);
    assert.equal(extra.code, ExitCode.different);
    assert.match(extra.stdout, /extra: no document for the row with the key 2/);
  });

  const wrong: readonly (readonly [what: string, result: string, reason: string, detail: RegExp])[] = [
    ['a promise', 'Promise.resolve(document)', 'transform_result', /returned a promise/],
    ['a promise that is rejected', 'Promise.reject(new Error("late"))', 'transform_result', /a promise/],
    ['nothing', 'undefined', 'transform_result', /nothing \(undefined\); to drop/],
    ['a number', '7', 'transform_result', /a number/],
    ['a Date', 'new Date()', 'transform_result', /a Date, not a document/],
    ['an array with a text', '[document, "x"]', 'transform_result', /an array whose element 1 is a string/],
    ['an array with null', '[null]', 'transform_result', /whose element 0 is null/],
    ['the same _id twice', '[document, { ...document }]', 'transform_id', /two documents with the same _id/],
    [
      'a function in a field',
      '({ ...document, a: { f: () => 1 } })',
      'transform_result',
      /"a\.f" is a function/,
    ],
    ['no _id', '({ a: 1 })', 'missing_id', /after the transform/],
    ['an error of no class', '(() => { throw "text"; })()', 'transform_error', /threw 'text'/],
    ['a text with U+0000', '({ ...document, text: "a\\0b" })', 'nul', /after the transform/],
  ];
  for (const [index, [what, result, reason, detail]] of wrong.entries()) {
    it(`that returns ${what} makes the document a dead letter (${reason}), and no other`, async () => {
      const name = `wrong_${index}`;
      const text = `export default (document) => (document._id === 2 ? ${result} : document);`;
      const { code, stdout, stderr } = await migrate(
        name,
        [1, 2, 3].map((_id) => ({ _id, text: 'a' })),
        text,
      );
      assert.equal(code, ExitCode.deadLetters, stderr);
      assert.match(stdout, /read 3 = copied 2 \+ dead-lettered 1\n/);
      const [letter = {}] = await query(`SELECT reason, document_id, detail FROM mongo2pg.dead_letters d
        JOIN mongo2pg.runs USING (run_id) WHERE table_name = '${name}'`);
      assert.deepEqual([letter.reason, letter.document_id], [reason, '{"$numberInt":"2"}']);
      assert.match(String(letter.detail), detail);
      assert.deepEqual(await query(`SELECT _id FROM ${name} ORDER BY 1`), [{ _id: 1 }, { _id: 3 }]);
    });
  }

  it('an array of one, and an empty one, are one document and none', async () => {
    const { code, stdout } = await migrate(
      'arrays',
      [{ _id: 1 }, { _id: 2 }],
      'export default (document) => (document._id === 1 ? [document] : []);',
    );
    assert.equal(code, ExitCode.ok);
    assert.match(stdout, /read 2 = copied 1 \+ dead-lettered 0 \+ dropped 1/);
  });

  it('two documents that get the same _id fail the run, which names it', async () => {
    const { code, stderr } = await migrate(
      'collide',
      [{ _id: 1 }, { _id: 2 }, { _id: 3 }],
      'export default (document) => ({ ...document, _id: document._id === 3 ? 1 : document._id });',
    );
    assert.equal(code, ExitCode.target);
    assert.match(stderr, /1 value of _id in several rows: 1 \(2 times\) — the transform may give several/);
    const [run] = await query(`SELECT finished_at FROM mongo2pg.runs WHERE table_name = 'collide'`);
    assert.deepEqual(run, { finished_at: null });
  });

  it('of a document that becomes several, all rows are loaded or none', async () => {
    await query(`CREATE TABLE checked (_id int PRIMARY KEY, n int CHECK (n <> 2), _extra jsonb)`);
    const { code, stdout } = await migrate(
      'checked',
      [1, 2, 3].map((_id) => ({ _id })),
      `export default ({ _id }) => [1, 2, 3].map((n) => ({ _id: _id * 10 + n, n: _id === 2 ? n : 5 }));`,
    );
    assert.equal(code, ExitCode.deadLetters);
    assert.match(stdout, /read 3 = copied 2 \(6 rows\) \+ dead-lettered 1/);
    const keys = await query(`SELECT _id FROM checked ORDER BY 1`);
    assert.deepEqual(
      keys.map(({ _id }) => _id),
      [11, 12, 13, 31, 32, 33],
    );
    const verified = await runCli(['verify'], { ...sandbox.env, MONGO_COLLECTION: 'checked' });
    assert.equal(verified.code, ExitCode.ok, verified.stdout);
    assert.match(verified.stdout, /equal 2 \+ dead-lettered 1/);

    await query(`ALTER TABLE checked DROP CONSTRAINT checked_n_check`);
    const retried = await runCli(['retry'], { ...sandbox.env, MONGO_COLLECTION: 'checked' });
    assert.equal(retried.code, ExitCode.ok, retried.stderr);
    assert.match(retried.stderr, /1 dead letter loaded, 0 left/);
    assert.deepEqual(await query('SELECT count(*)::int AS n FROM checked'), [{ n: 9 }]);
    const [sums] = await query(`SELECT sum(copied)::int AS copied, sum(dead_lettered)::int AS letters,
        sum(added_rows)::int AS added FROM mongo2pg.batches JOIN mongo2pg.runs USING (run_id)
      WHERE table_name = 'checked'`);
    assert.deepEqual(sums, { copied: 3, letters: 0, added: 6 });
    const again = await runCli(['verify'], { ...sandbox.env, MONGO_COLLECTION: 'checked' });
    assert.equal(again.code, ExitCode.ok, again.stdout);
  });

  it('a relational plan is applied to its results', async () => {
    const { code, stderr } = await migrate(
      'apart',
      [
        { _id: 1, names: 'a,b' },
        { _id: 2, names: 'c' },
        { _id: 3, names: '' },
      ],
      `export default ({ _id, names }) => {
        if (names === '') return null;
        const parts = names.split(',').map((name) => ({ name }));
        return [_id, _id + 10].map((id) => ({ _id: id, size: { n: parts.length }, parts }));
      };`,
      { PLAN_SCHEMA: 'relational' },
    );
    assert.equal(code, ExitCode.ok, stderr);
    assert.deepEqual(await query('SELECT _id, size_n FROM apart ORDER BY 1'), [
      { _id: 1, size_n: 2 },
      { _id: 2, size_n: 1 },
      { _id: 11, size_n: 2 },
      { _id: 12, size_n: 1 },
    ]);
    assert.deepEqual(await query('SELECT count(*)::int AS n FROM apart_parts'), [{ n: 6 }]);
    const verified = await runCli(['verify'], { ...sandbox.env, MONGO_COLLECTION: 'apart' });
    assert.equal(verified.code, ExitCode.ok, verified.stdout);
  });

  it('values that are returned unchanged keep their type, and the order of names in an _id', async () => {
    const id = new Map<string, unknown>([
      ['z', 1],
      ['7', 2],
    ]);
    const plain = [{ _id: id as unknown as ObjectId, double: new Double(3), int: new Int32(3) }];
    await migrate('typed', plain, 'export default (document) => document;', {
      JSON_STYLE: 'canonical',
      SCHEMA: 'x',
    });
    await runCli(['--restart', '--schema', 'document'], {
      ...sandbox.env,
      MONGO_COLLECTION: 'typed',
      JSON_STYLE: 'canonical',
      TRANSFORM: await modules.write('typed.mjs', 'export default (document) => document;'),
    });
    const [row] = await query('SELECT _id::text, document FROM typed');
    assert.deepEqual(row?.document, {
      _id: { z: { $numberInt: '1' }, 7: { $numberInt: '2' } },
      double: { $numberDouble: '3.0' },
      int: { $numberInt: '3' },
    });
  });

  const refused: readonly (readonly [what: string, text: string | null, message: RegExp])[] = [
    ['that is not there', null, /cannot be read \(ENOENT\) — correct TRANSFORM/],
    [
      'with a syntax error',
      'export default (document => {',
      /cannot be loaded: SyntaxError: .*\.mjs:\d+\) — correct it/,
    ],
    ['that throws when it is loaded', 'throw new Error("no");', /cannot be loaded: Error: no — correct it/],
    [
      'without a default export',
      'export const transform = 1;',
      /has no default export — write: export default/,
    ],
    ['that exports no function', 'export default { a: 1 };', /is of the type object, not a function/],
    [
      'that is asynchronous',
      'export default async (document) => document;',
      /is asynchronous — return documents/,
    ],
    ['that is a generator', 'export default function* (document) { yield document; }', /a generator, not/],
    [
      'that fails for all',
      'export default (d) => d.a.b.c;',
      /fails for all of 2 sampled documents: TypeError/,
    ],
    ['that leaves nothing', 'export default () => null;', /leaves nothing of 2 sampled documents/],
  ];
  for (const [index, [what, text, message]] of refused.entries()) {
    it(`one ${what} is refused before anything is written`, async () => {
      const name = `refused_${index}`;
      await sandbox.db
        .collection(name)
        .insertMany([{ _id: 1 as unknown as ObjectId }, { _id: 2 as unknown as ObjectId }]);
      const { code, stderr } =
        text === null
          ? await runCli([], { ...sandbox.env, MONGO_COLLECTION: name, TRANSFORM: '/nowhere/transform.mjs' })
          : await run(name, text);
      assert.equal(code, ExitCode.usage, stderr);
      assert.match(stderr, message);
      const tables = await query(`SELECT FROM pg_class WHERE relname = '${name}'`);
      assert.equal(tables.length, 0);
    });
  }
});
