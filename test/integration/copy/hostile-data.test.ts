import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  Decimal128,
  deserialize,
  Double,
  Long,
  MaxKey,
  MinKey,
  ObjectId,
  Timestamp,
  type Document,
} from 'bson';
import { ExitCode } from '../../../src/common/errors.ts';
import { runCli } from '../../support/cli.ts';
import { lacking } from '../../support/server-features.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';

describe('data that does not fit a table', () => {
  let sandbox: Sandbox;
  before(async () => {
    sandbox = await createSandbox();
  });
  after(async () => {
    await sandbox.remove();
  });

  async function migrate(collection: string, documents: Document[], env: Record<string, string> = {}) {
    await sandbox.db.collection(collection).insertMany(documents);
    return await runCli([], { ...sandbox.env, MONGO_COLLECTION: collection, CLUSTER_SIZE: '2', ...env });
  }

  async function readRows(table: string): Promise<Record<string, unknown>[]> {
    const { rows } = await sandbox.client.query<Record<string, unknown>>(
      `SELECT * FROM "${table}" ORDER BY 1`,
    );
    return rows;
  }

  it('a document that Postgres cannot store becomes a dead letter, whole, and the exit code reports it', async () => {
    const { code, stdout } = await migrate('letters', [
      { _id: 1, text: 'good' },
      { _id: 2, text: 'N\0UL', other: [1, 2, 3] },
      { _id: 3, text: 'good too' },
    ]);
    assert.equal(code, ExitCode.deadLetters);
    assert.match(stdout, /read 3 = copied 2 \+ dead-lettered 1/);
    assert.match(stdout, /dead letters: 1 because of nul/);
    assert.deepEqual(
      (await readRows('letters')).map(({ _id }) => _id),
      [1, 3],
    );
    const { rows } = await sandbox.client.query<Record<string, unknown>>(
      'SELECT * FROM mongo2pg.dead_letters',
    );
    assert.equal(rows.length, 1);
    const [letter = {}] = rows;
    assert.deepEqual(
      [letter.ordinal, letter.collection, letter.reason, letter.column_name],
      [1, `${sandbox.mongoDb}.letters`, 'nul', 'text'],
    );
    assert.deepEqual(JSON.parse(letter.document_id as string), { $numberInt: '2' });
    assert.deepEqual(deserialize(letter.document as Buffer), { _id: 2, text: 'N\0UL', other: [1, 2, 3] });
  });

  it('a field that only the last document has, and a value of another type, are kept in _extra and counted', async () => {
    const documents = Array.from({ length: 50 }, (_, index): Document => ({ _id: index, n: index }));
    documents.push({ _id: 50, n: 'fifty', late: { a: new Date(0) } });
    const { code, stdout } = await migrate('late', documents, { SAMPLE_SIZE: '1' });
    // The sample is random: in one case of 51 it is the last document, whose types then make the columns.
    const rows = await readRows('late');
    assert.equal(code, 0);
    assert.equal(rows.length, 51);
    const last = rows[50] ?? {};
    if (last._extra === null) {
      assert.equal(last.n, 'fifty');
    } else {
      assert.deepEqual(last._extra, { n: 'fifty', late: { a: { $date: '1970-01-01T00:00:00Z' } } });
      assert.match(stdout, /_extra: 1 value of "n" \(string, does not fit\)/);
      assert.match(stdout, /_extra: 1 value of "late" \(object, no column\)/);
    }
  });

  it(
    '_id values of every type are copied once, with any page size',
    { skip: lacking('allTypes') },
    async () => {
      const ids = [
        new MinKey(),
        null,
        new Double(NaN),
        new Double(-Infinity),
        -5,
        new Double(0.5),
        Long.fromString('9007199254740993'),
        Decimal128.fromString('1E+30'),
        '',
        'text',
        'NaN',
        { a: 1 },
        { a: { b: 2 } },
        Buffer.from('bytes'),
        new ObjectId(),
        new ObjectId(),
        false,
        true,
        new Date(-1),
        new Date(0),
        new Timestamp({ t: 1, i: 2 }),
        new MaxKey(),
      ];
      for (const itemsPerPage of [1, 2, 3, 1000]) {
        const collection = `ids_${itemsPerPage}`;
        const documents = ids.map((_id, position) => ({ _id, position }));
        const { code, stderr } = await migrate(collection, documents, {
          ITEMS_PER_PAGE: String(itemsPerPage),
        });
        assert.equal(code, 0, stderr);
        const rows = await readRows(collection);
        assert.deepEqual(
          rows.map(({ position }) => position as number).sort((a, b) => a - b),
          ids.map((_, position) => position),
        );
      }
    },
  );

  it('pages that the server truncates at 16 MB lose nothing', async () => {
    const documents = Array.from({ length: 10 }, (_, _id) => ({ _id, text: String(_id).repeat(4_000_000) }));
    for (const document of documents) await sandbox.db.collection('large').insertOne(document as Document);
    const { code, stderr } = await runCli([], {
      ...sandbox.env,
      MONGO_COLLECTION: 'large',
      MAX_IN_FLIGHT_MB: '1',
    });
    assert.equal(code, 0, stderr);
    const { rows } = await sandbox.client.query(
      'SELECT _id, length(text) AS length, left(text, 1) AS first FROM large ORDER BY _id',
    );
    assert.deepEqual(
      rows,
      documents.map(({ _id }) => ({ _id, length: 4_000_000, first: String(_id) })),
    );
  });

  it('names that need quoting in SQL', { skip: lacking('anyName') }, async () => {
    const document = {
      _id: 1,
      $x: 1,
      'a.b': 2,
      'a b': 3,
      '"': 4,
      "'; DROP TABLE x; --": 5,
      Name: 6,
      name: 7,
      '': 8,
      ctid: 9,
    };
    const { code, stderr } = await migrate('select', [document]);
    assert.equal(code, 0, stderr);
    const [row = {}] = await readRows('select');
    assert.deepEqual(Object.values(row), [1, 1, 2, 3, 4, 5, 6, 7, 8, 9, null]);
    assert.deepEqual(Object.keys(row).slice(0, 8), Object.keys(document).slice(0, 8));
  });
});
