/** Columns of ObjectIds as text are compared by bytes, in a database with a language's collation. */

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { ObjectId } from 'bson';
import { ExitCode } from '../../../src/common/errors.ts';
import { runCli, type CliResult } from '../../support/cli.ts';
import { cleanUp, makeDirectory } from '../../support/embedded.ts';
import { setFailpoints } from '../../support/failpoints.ts';
import { startFollowing, untilMerged } from '../../support/follow.ts';
import { createSandbox, ofEnglish, type Sandbox } from '../../support/servers.ts';

const count = 200;

const planFile = {
  columns: [
    { column: 'id', path: '_id', type: 'objectId' },
    { column: 'customer', path: 'customer', type: 'objectId' },
    { column: 'name', path: 'name', type: 'string' },
  ],
  children: [
    {
      path: 'lines',
      table: 'lines',
      parentColumn: 'order_id',
      columns: [{ column: 'product', path: 'product', type: 'objectId' }],
    },
  ],
};

interface Scene extends Sandbox {
  run(...args: string[]): Promise<CliResult>;
  readonly command: Readonly<Record<string, string>>;
}

async function setScene(t: TestContext): Promise<Scene> {
  const sandbox = await createSandbox(ofEnglish);
  cleanUp(t, () => sandbox.remove());
  await sandbox.db.collection('orders').insertMany(
    Array.from({ length: count }, (_, index) => ({
      _id: new ObjectId(),
      customer: new ObjectId(),
      name: `name ${index}`,
      lines: [{ product: new ObjectId() }, { product: new ObjectId() }],
    })),
  );
  const command = { ...sandbox.env, MONGO_COLLECTION: 'orders', CLUSTER_SIZE: '1', ITEMS_PER_PAGE: '50' };
  return { ...sandbox, command, run: (...args) => runCli(args, command) };
}

async function writePlan(t: TestContext): Promise<string> {
  const path = join(await makeDirectory(t), 'plan.json');
  await writeFile(path, JSON.stringify(planFile));
  return path;
}

/** The collations of text columns, by table and column. */
async function readCollations({ client }: Scene): Promise<Record<string, string>> {
  const { rows } = await client.query<{ name: string; collation: string }>(
    `SELECT c.relname || '.' || attname AS name, collname AS collation
       FROM pg_attribute JOIN pg_class c ON c.oid = attrelid JOIN pg_collation k ON k.oid = attcollation
      WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND attnum > 0 ORDER BY 1`,
  );
  return Object.fromEntries(rows.map(({ name, collation }) => [name, collation]));
}

function assertOk({ code, stdout, stderr }: CliResult): void {
  assert.equal(code, ExitCode.ok, stdout + stderr);
}

describe('the collation of ObjectIds', () => {
  it('is C in every new table: of the key, of references, and of the keys of child tables', async (t) => {
    const scene = await setScene(t);
    assertOk(await scene.run('--plan', await writePlan(t)));
    assert.deepEqual(await readCollations(scene), {
      'lines.order_id': 'C',
      'lines.product': 'C',
      'orders.customer': 'C',
      'orders.id': 'C',
      'orders.name': 'default',
    });
    assertOk(await scene.run('verify'));
  });

  it('is that of a carried index, too', async (t) => {
    const scene = await setScene(t);
    await scene.db.collection('orders').createIndex({ customer: 1 });
    assertOk(await scene.run());
    const { rows } = await scene.client.query(
      `SELECT c.relname, k.collname FROM pg_index i JOIN pg_class c ON c.oid = indexrelid
         JOIN pg_collation k ON k.oid = indcollation[0] WHERE indrelid = 'orders'::regclass ORDER BY 1`,
    );
    assert.deepEqual(rows, [
      { relname: 'orders_customer_1', collname: 'C' },
      { relname: 'orders_pkey', collname: 'C' },
    ]);
  });

  it('is the database’s with --object-id-collation default', async (t) => {
    const scene = await setScene(t);
    assertOk(await scene.run('--plan', await writePlan(t), '--object-id-collation', 'default'));
    assert.deepEqual([...new Set(Object.values(await readCollations(scene)))], ['default']);
    assertOk(await scene.run('verify'));
  });

  it('can be compared with that of the database, and not with a third one', async (t) => {
    const scene = await setScene(t);
    assertOk(await scene.run());
    await scene.client.query(
      'CREATE TABLE notes (order_id text, other_id text COLLATE "en-x-icu"); INSERT INTO notes SELECT _id, _id FROM orders',
    );
    const join = (column: string) =>
      scene.client.query(`SELECT FROM notes JOIN orders ON orders._id = notes.${column}`);
    assert.equal((await join('order_id')).rowCount, count);
    await assert.rejects(join('other_id'), /could not determine which collation to use/);
    assert.equal((await join('other_id COLLATE "C"')).rowCount, count);
  });

  /** The state that a version without this setting left. */
  it('does not matter to a run that was begun without one', async (t) => {
    const scene = await setScene(t);
    const args = ['--plan', await writePlan(t)];
    const failpoints = await setFailpoints(t, { 'primary-after-ack': 'kill@2' });
    const stopped = await runCli(args, { ...scene.command, ...failpoints.env });
    assert.equal(stopped.signal, 'SIGKILL', stopped.stdout + stopped.stderr);
    await scene.client.query(
      `UPDATE mongo2pg.runs SET settings = settings #- '{plan,objectIdCollation}' #- '{plan,children,0,plan,objectIdCollation}';
       ALTER TABLE orders ALTER id TYPE text, ALTER customer TYPE text;
       ALTER TABLE lines ALTER order_id TYPE text, ALTER product TYPE text`,
    );
    assertOk(await scene.run(...args));
    assert.deepEqual([...new Set(Object.values(await readCollations(scene)))], ['default']);
    assertOk(await scene.run('verify'));
    const more = await scene.db.collection('orders').insertOne({ customer: new ObjectId() });
    assert.ok(more.acknowledged);
    assert.equal((await scene.run('verify')).code, ExitCode.different, 'one is missing');
  });

  it('is not required of an existing table', async (t) => {
    const scene = await setScene(t);
    await scene.client.query('CREATE TABLE orders (_id text PRIMARY KEY, customer text, _extra jsonb)');
    assertOk(await scene.run('--if-exists', 'append'));
    assert.deepEqual([...new Set(Object.values(await readCollations(scene)))], ['default']);
    assertOk(await scene.run('verify'));
    assertOk(await scene.run('--if-exists', 'truncate', '--restart'));
    assertOk(await scene.run('--if-exists', 'drop', '--restart'));
    assert.equal((await readCollations(scene))['orders._id'], 'C', 'a recreated table');
  });

  it('is kept while changes are followed, with rows of child tables', async (t) => {
    const scene = await setScene(t);
    const orders = scene.db.collection('orders');
    const following = startFollowing(scene.command, ['--plan', await writePlan(t)]);
    cleanUp(t, () => following.process.kill('SIGKILL'));
    await following.until('following');
    await orders.deleteOne({ name: 'name 7' });
    await orders.updateOne({ name: 'name 9' }, { $push: { lines: { product: new ObjectId() } } } as never);
    await orders.insertOne({ customer: new ObjectId(), lines: [{ product: new ObjectId() }] });
    await untilMerged(scene, following);
    assertOk(await runCli(['verify'], scene.command));
    assert.equal((await following.stop()).code, 130);
    assert.equal((await readCollations(scene))['lines.order_id'], 'C');
  });
});
