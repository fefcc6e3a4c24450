import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import type { Document } from 'bson';
import { ExitCode } from '../../../src/common/errors.ts';
import { plainPool, runCli, type CliResult } from '../../support/cli.ts';
import { ModuleFiles } from '../../support/module-files.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';

const id = { column: 'id', path: '_id', type: 'int32' };

describe('changes of column values by a plan', () => {
  let sandbox: Sandbox;
  let files: ModuleFiles;
  before(async () => {
    sandbox = await createSandbox();
    files = await ModuleFiles.create();
  });
  after(async () => {
    await files.remove();
    await sandbox.remove();
  });

  async function run(collection: string, plan: object, ...args: string[]): Promise<CliResult> {
    const PLAN = await files.write(`${collection}.json`, JSON.stringify(plan));
    const env = { ...sandbox.env, MONGO_COLLECTION: collection, CLUSTER_IMPLEMENTATION: plainPool, PLAN };
    return await runCli(args, env);
  }

  async function migrate(collection: string, documents: Document[], plan: object): Promise<CliResult> {
    await sandbox.db.collection(collection).insertMany(documents);
    return await run(collection, plan);
  }

  async function query(sql: string): Promise<Record<string, unknown>[]> {
    const { rows } = await sandbox.client.query<Record<string, unknown>>(sql);
    return rows;
  }

  const plan = {
    columns: [
      id,
      { column: 'email', path: 'email', type: 'string', lowercase: true },
      { column: 'card', path: 'card', type: 'string', mask: 'last4' },
      { column: 'name', path: 'name', type: 'string', mask: 'redact' },
      { column: 'phone', path: 'contact.phone', type: 'string', mask: 'sha256', salt: 'pepper' },
      { column: 'contact', path: 'contact', type: 'json' },
      { column: 'state', path: 'state', type: 'string', default: 'new', notNull: true },
      { column: 'since', path: 'since', type: 'date', default: { $date: '2020-01-01T00:00:00Z' } },
    ],
    constants: [
      { column: 'origin', type: 'string', value: 'shop' },
      { column: 'version', type: 'int64', value: { $numberLong: '3' } },
    ],
    generated: [{ column: 'domain', type: 'text', expression: `split_part(email, '@', 2)` }],
    children: [
      {
        path: 'lines',
        table: 'changed_lines',
        columns: [
          { column: 'sku', path: 'sku', type: 'string', lowercase: true },
          { column: 'amount', path: 'amount', type: 'int32', default: 1 },
        ],
      },
    ],
  };
  const documents: Document[] = [
    {
      _id: 1,
      email: 'Ada@Example.ORG',
      card: '4111111111111111',
      name: 'Ada',
      contact: { phone: '030 123', city: 'London' },
      state: null,
      lines: [{ sku: 'A-1' }, { sku: 'B-7', amount: 2 }],
    },
    { _id: 2, card: 4_111_111_111, state: 'old', since: new Date(0), name: { first: 'G' } },
  ];
  const phone = createHash('sha256').update('pepper030 123').digest('hex');

  it('are applied before values are stored: in columns, in jsonb, and in child tables', async () => {
    const { code, stdout, stderr } = await migrate('changed', documents, plan);
    assert.equal(code, ExitCode.ok, stderr);
    assert.match(stdout, /read 2 = copied 2 \+ dead-lettered 0\n/);
    assert.deepEqual(await query(`SELECT *, since::text FROM changed ORDER BY id`), [
      {
        id: 1,
        email: 'ada@example.org',
        card: '************1111',
        name: '***',
        phone,
        contact: { phone, city: 'London' },
        state: 'new',
        since: '2020-01-01 00:00:00+00',
        origin: 'shop',
        version: '3',
        domain: 'example.org',
        _extra: null,
      },
      {
        id: 2,
        email: null,
        card: '******1111',
        name: '***',
        phone: null,
        contact: null,
        state: 'old',
        since: '1970-01-01 00:00:00+00',
        origin: 'shop',
        version: '3',
        domain: null,
        _extra: null,
      },
    ]);
    assert.deepEqual(await query('SELECT parent_id, ordinal, sku, amount FROM changed_lines ORDER BY 1, 2'), [
      { parent_id: 1, ordinal: 0, sku: 'a-1', amount: 1 },
      { parent_id: 1, ordinal: 1, sku: 'b-7', amount: 2 },
    ]);
    // As one would search for a row.
    assert.deepEqual(
      await query(
        `SELECT id FROM changed WHERE phone = encode(sha256(convert_to('pepper030 123', 'UTF8')), 'hex')`,
      ),
      [{ id: 1 }],
    );
  });

  it('are applied by verify as well', async () => {
    const env = { ...sandbox.env, MONGO_COLLECTION: 'changed' };
    const equal = await runCli(['verify'], env);
    assert.equal(equal.code, ExitCode.ok, equal.stdout);
    await query(`UPDATE changed SET origin = 'other' WHERE id = 2`);
    const different = await runCli(['verify'], env);
    assert.equal(different.code, ExitCode.different);
    assert.match(different.stdout, /column "origin": "shop" in the document, "other" in PostgreSQL/);
  });

  it('mask values also in whole documents', async () => {
    const { code } = await migrate('whole', [{ _id: 1, name: 'Ada', other: 1 }], {
      columns: [id, { column: 'name', path: 'name', type: 'string', mask: 'redact' }],
      extraColumn: 'document',
      keepsWhole: true,
    });
    assert.equal(code, ExitCode.ok);
    assert.deepEqual(await query('SELECT name, document FROM whole'), [
      { name: '***', document: { _id: 1, name: '***', other: 1 } },
    ]);
  });

  it('come after the function of a transform, which the plan may name', async () => {
    await files.write(
      'upper.mjs',
      'export default (document) => ({ ...document, name: document.name + "-X" });',
    );
    const { code, stderr } = await migrate('both', [{ _id: 1, name: 'Ada' }], {
      columns: [id, { column: 'name', path: 'name', type: 'string', lowercase: true }],
      transform: './upper.mjs',
    });
    assert.equal(code, ExitCode.ok, stderr);
    assert.deepEqual(await query('SELECT name FROM "both"'), [{ name: 'ada-x' }]);
  });

  it('an expression that PostgreSQL rejects is reported, and nothing is left', async () => {
    const { code, stderr } = await migrate('refused', [{ _id: 1 }], {
      columns: [id],
      generated: [{ column: 'x', type: 'text', expression: 'lower(nothing)' }],
    });
    assert.equal(code, ExitCode.target, stderr);
    assert.match(stderr, /column "nothing" does not exist/);
    assert.deepEqual(await query(`SELECT FROM pg_class WHERE relname = 'refused'`), []);
  });

  it('an existing table must have the generated columns', async () => {
    await query(
      'CREATE TABLE there (id int PRIMARY KEY, a text, x text GENERATED ALWAYS AS (lower(a)) STORED, y text)',
    );
    const there = (column: string): object => ({
      columns: [id, { column: 'a', path: 'a', type: 'string', lowercase: true }],
      generated: [{ column, type: 'text', expression: 'lower(a)' }],
    });
    const refused = await migrate('there', [{ _id: 1, a: 'B' }], there('y'));
    assert.equal(refused.code, ExitCode.target);
    assert.match(refused.stderr, /"y" \(text, GENERATED ALWAYS\) is not generated/);
    const { code, stderr } = await run('there', there('x'));
    assert.equal(code, ExitCode.ok, stderr);
    assert.deepEqual(await query('SELECT * FROM there'), [{ id: 1, a: 'b', x: 'b', y: null }]);
  });
});
