import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import { serialize } from 'bson';
import { UsageError } from '../../../../src/common/errors.ts';
import { openDump } from '../../../../src/source/dump/dump-database.ts';
import { collectionOfDump } from '../../../../src/config/dump-file-name.ts';
import { dumpArchive, dumpBson, dumpMetadata, prelude } from '../../../support/dump.ts';
import { makeDirectory } from '../../../support/embedded.ts';

const one = dumpBson([{ _id: 1 }]);

async function write(t: TestContext, files: Readonly<Record<string, string | Buffer>>): Promise<string> {
  const folder = await makeDirectory(t);
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), content);
  }
  return folder;
}

async function list(path: string, db = '', collection = '*'): Promise<readonly [string, ...string[]]> {
  const database = await openDump({ path, db, collection });
  const infos = await database.listCollections();
  return [
    database.name,
    ...infos.map(({ name, type }) => (type === 'collection' ? name : `${name} (${type})`)),
  ];
}

describe('the collections of a dump', () => {
  const folder = {
    'dump/prelude.json': prelude,
    'dump/oplog.bson': one,
    'dump/admin/system.version.bson': one,
    'dump/school/users.bson': one,
    'dump/school/a%2Fb.bson.gz': gzipSync(one),
    'dump/school/notes.json': '{}',
    'dump/school/view.metadata.json': dumpMetadata('view', { options: { viewOn: 'users' } }),
    'dump/school/$admin.system.users.bson': one,
  };

  it('of a folder: of its one database, or of the folder of one', async (t) => {
    const root = await write(t, folder);
    const expected = ['school', 'a/b', 'users', 'view (view)'];
    assert.deepEqual(await list(join(root, 'dump')), expected);
    assert.deepEqual(await list(join(root, 'dump/school')), expected);
    assert.deepEqual(await list(join(root, 'dump'), 'admin'), ['admin', 'system.version']);
    await assert.rejects(list(join(root, 'dump'), 'other'), /has no database other/);
  });

  it('of a folder of several databases: one must be named', async (t) => {
    const root = await write(t, { ...folder, 'dump/work/staff.bson': one });
    await assert.rejects(list(join(root, 'dump')), (error: unknown) => {
      assert.match(String(error), /has 2 databases/);
      return (error as UsageError).fix.includes('one of: admin, school, work');
    });
    assert.deepEqual(await list(join(root, 'dump'), 'work'), ['work', 'staff']);
  });

  it('of a file: named by it, or by MONGO_COLLECTION', async (t) => {
    const root = await write(t, folder);
    const path = join(root, 'dump/school/a%2Fb.bson.gz');
    assert.deepEqual(await list(path), ['school', 'a/b']);
    assert.deepEqual(await list(path, 'mine', 'things'), ['mine', 'things']);
  });

  it('of a file whose name is truncated: named by its metadata', async (t) => {
    const stem = `${'x'.repeat(208)}%24${'h'.repeat(27)}`;
    const name = 'x'.repeat(250);
    const root = await write(t, {
      [`db/${stem}.bson`]: one,
      [`db/${stem}.metadata.json`]: dumpMetadata(name),
    });
    const path = join(root, `db/${stem}.bson`);
    assert.deepEqual(await list(path, '', collectionOfDump(path)), ['db', name]);
    assert.deepEqual(await list(join(root, 'db')), ['db', name]);
  });

  it('of an archive: of its one database, without users and oplog', async (t) => {
    const parts = [
      { collection: 'users', documents: [{ _id: 1 }] },
      {
        collection: 'french',
        documents: [{ _id: 1 }],
        metadata: dumpMetadata('french', { options: { collation: { locale: 'fr' } } }),
      },
      { collection: '$admin.system.users', documents: [] },
      { collection: 'view', documents: [], metadata: dumpMetadata('view', { options: { viewOn: 'users' } }) },
      { collection: 'measured', documents: [], type: 'timeseries' },
    ];
    const root = await write(t, { 'all.gz': gzipSync(dumpArchive(parts, { db: 'work' })) });
    const expected = ['work', 'users', 'french', 'view (view)', 'measured (timeseries)'];
    assert.deepEqual(await list(join(root, 'all.gz')), expected);
    await assert.rejects(list(join(root, 'all.gz'), 'school'), /has no database school/);
    const database = await openDump({ path: join(root, 'all.gz'), db: '', collection: '*' });
    await assert.rejects(
      database.open('measured'),
      /work\.measured cannot be copied: it is a time-series collection/,
    );
    await assert.rejects(database.open('none'), /the dump has no collection work\.none/);
    await assert.rejects(
      database.open('users', serialize({ a: 1 })),
      /no document of work\.users matches the filter/,
    );
    await assert.rejects(database.open('users', serialize({ a: { $near: [0, 0] } })), UsageError);
    await assert.rejects(database.open('french', serialize({ _id: 1 })), /work\.french has a collation/);
    await database.open('french');
  });

  it('twice the same one is refused', async (t) => {
    const root = await write(t, { 'db/users.bson': one, 'db/users.bson.gz': gzipSync(one) });
    await assert.rejects(
      list(join(root, 'db')),
      /has the collection users twice: .*users\.bson and .*users\.bson\.gz/,
    );
  });

  it('of a folder without any, and of metadata that are none', async (t) => {
    const root = await write(t, {
      'db/readme.txt': '',
      'bad/users.bson': one,
      'bad/users.metadata.json': '{"indexes":',
    });
    await assert.rejects(list(join(root, 'db')), /has no collections/);
    await assert.rejects(
      list(join(root, 'bad')),
      /users\.metadata\.json is not the metadata of a collection: .* \(byte 11\)/,
    );
  });

  it('has the indexes of its metadata, of both versions', async (t) => {
    const keys = [{ number: 1, '2': -1, '1': 1 }, { place: '2dsphere' }];
    const indexes = keys.map((key, index) => ({
      v: 2,
      key,
      name: `i${index}`,
      unique: index === 0,
      expireAfterSeconds: 60,
    }));
    const versions = {
      canonical: dumpMetadata('canonical', { indexes }),
      old: `{"options":{},"indexes":[{"v":1,"key":{"number":1.0,"2":-1.0,"1":1.0},"name":"i0","unique":true,"expireAfterSeconds":60},
        {"v":1,"key":{"place":"2dsphere"},"name":"i1","ns":"db.old","expireAfterSeconds":{"$numberLong":"60"}}]}`,
    };
    const root = await write(t, {
      'db/canonical.bson': one,
      'db/canonical.metadata.json': versions.canonical,
      'db/old.bson.gz': gzipSync(one),
      'db/old.metadata.json.gz': gzipSync(versions.old),
    });
    const database = await openDump({ path: join(root, 'db'), db: '', collection: '*' });
    for (const name of ['canonical', 'old']) {
      const [first, second] = await ((await database.open(name)).hints?.listIndexes() ?? []);
      const paths = first?.key.map(({ path, kind }) => `${path} ${kind}`).sort();
      assert.deepEqual(paths, ['1 1', '2 -1', 'number 1'], name);
      assert.deepEqual([first?.isUnique, second?.isUnique, second?.key[0]?.kind], [true, false, '2dsphere']);
      assert.equal(second?.expireAfterSeconds, 60);
      if (name === 'old') {
        assert.deepEqual(
          first?.key.map(({ path }) => path),
          ['number', '2', '1'],
        );
      }
    }
  });

  it('stops reading when it is interrupted', async (t) => {
    const root = await write(t, {
      'db/users.bson.gz': gzipSync(
        Buffer.concat(Array.from({ length: 99 }, () => Buffer.from(serialize({ _id: 1 })))),
      ),
    });
    const interrupt = new AbortController();
    const path = join(root, 'db/users.bson.gz');
    const database = await openDump({ path, db: '', collection: 'users', signal: interrupt.signal });
    const source = await database.open('users');
    interrupt.abort(new UsageError('enough', { code: 'ENOUGH' }));
    await assert.rejects(source.estimateCount(), /enough/);
  });
});
