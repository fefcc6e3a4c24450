import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Double } from 'bson';
import { ExitCode } from '../../../src/common/errors.ts';
import { runCli } from '../../support/cli.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';

describe('a filter', () => {
  let sandbox: Sandbox;
  before(async () => {
    sandbox = await createSandbox();
    // Numbers and texts as _id: paging continues in the next bracket with the filter.
    const documents = Array.from({ length: 1000 }, (_, index) => ({
      _id: (index % 2 === 0 ? index : `id ${index}`) as never,
      age: index % 100,
      ...(index % 100 >= 90 ? { old: true } : { young: true }),
    }));
    await sandbox.db.collection('people').insertMany(documents);
    await sandbox.db.collection('people').insertOne({ _id: 'odd' as never, age: new Double(95.5) });
  });
  after(async () => {
    await sandbox.remove();
  });

  async function migrate(filter: string, env: Record<string, string> = {}) {
    return await runCli(['--filter', filter], {
      ...sandbox.env,
      MONGO_COLLECTION: 'people',
      CLUSTER_SIZE: '1',
      ...env,
    });
  }

  it('selects the documents that are sampled, counted and read, on every page', async () => {
    const { code, stdout, stderr } = await migrate('{"age": {"$gte": {"$numberInt": "90"}}}', {
      ITEMS_PER_PAGE: '7',
    });
    assert.equal(code, ExitCode.ok, stderr);
    assert.match(stderr, /people: 101 documents, 1 worker/);
    assert.match(stdout, /read 101 = copied 101/);
    const { rows } = await sandbox.client.query('SELECT count(*)::int, min(age) AS min FROM people');
    assert.deepEqual(rows, [{ count: 101, min: 90 }]);
    const { rows: columns } = await sandbox.client.query(
      "SELECT column_name AS name FROM information_schema.columns WHERE table_name = 'people' ORDER BY ordinal_position",
    );
    assert.ok(!columns.some(({ name }: { name: string }) => name === 'young'));
  });

  it('on _id is combined with that of the page', async () => {
    const filter = '{"_id": {"$gte": 100, "$lt": 200}}';
    const { code, stdout, stderr } = await migrate(filter, { ITEMS_PER_PAGE: '7', POSTGRES_SCHEMA: 'by_id' });
    assert.equal(code, ExitCode.ok, stderr);
    assert.match(stdout, /read 50 = copied 50/);
  });

  it('compares a document by the order of its names, also of those that are integers', async () => {
    const orders = [
      [
        ['z', 1],
        ['7', 1],
      ],
      [
        ['7', 1],
        ['z', 1],
      ],
    ] as const;
    const documents = Array.from({ length: 100 }, (_, n) => ({ n, d: new Map(orders[n % 2]) }));
    await sandbox.db.collection('orders').insertMany(documents);
    const { code, stdout, stderr } = await migrate('{"d": {"$ne": {"z": 1, "7": 1}}}', {
      MONGO_COLLECTION: 'orders',
      ITEMS_PER_PAGE: '7',
    });
    assert.equal(code, ExitCode.ok, stderr);
    assert.match(stdout, /read 50 = copied 50/);
    const { rows } = await sandbox.client.query('SELECT count(*)::int FROM orders WHERE n % 2 = 1');
    assert.deepEqual(rows, [{ count: 50 }]);
  });

  for (const [what, filter, expected, error] of [
    ['is not JSON', '{age: 1}', ExitCode.usage, /--filter is not JSON: line 1, column 2: names and texts/],
    [
      'has an unknown operator',
      '{"age": {"$gtee": 1}}',
      ExitCode.usage,
      /MongoDB refuses the filter: unknown operator: \$gtee — correct FILTER/,
    ],
    [
      'matches nothing',
      '{"age": -1}',
      ExitCode.source,
      /no document of .*\.people matches the filter — correct FILTER/,
    ],
  ] as const) {
    it(`is refused where it ${what}, and nothing is written`, async () => {
      const { code, stderr } = await migrate(filter, { POSTGRES_SCHEMA: 'refused' });
      assert.equal(code, expected);
      assert.match(stderr, error);
      const { rows } = await sandbox.client.query("SELECT to_regclass('refused.people') AS found");
      assert.deepEqual(rows, [{ found: null }]);
    });
  }
});
