import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import { ExitCode } from '../../src/common/errors.ts';
import { plainPool } from '../support/cli.ts';
import { dumpArchive, dumpBson } from '../support/dump.ts';
import { makeDirectory } from '../support/embedded.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { assertCode, crashAction, setScene, type Scene } from '../support/fault.ts';

const marker = 'ends every worker that looks at it';

/** The scene's documents, not in the order of `_id`. */
async function readRaw({ collection }: Scene): Promise<Buffer[]> {
  const found = collection.find({}, { raw: true }).sort({ even: 1, text: -1 });
  return (await found.toArray()) as unknown as Buffer[];
}

async function write(t: TestContext, name: string, content: Buffer): Promise<string> {
  const path = join(await makeDirectory(t), name);
  await writeFile(path, content);
  return path;
}

/** Puts a document that the filter excludes after each of the others. */
function leaveOut(raw: readonly Buffer[]): Buffer {
  return dumpBson(raw.flatMap((document, index) => [document, { _id: index, text: 7, number: index }]));
}

const filter = '{"text": {"$type": "string"}, "number": {"$exists": false}}';

describe('a dump as the source', () => {
  for (const name of ['things.bson', 'things-by-a-filter.bson', 'all.archive.gz']) {
    it(`${name}: the primary killed during the load, the same command resumes`, async (t) => {
      const scene = await setScene(t, 2_000, plainPool);
      const raw = await readRaw(scene);
      const isArchive = name === 'all.archive.gz';
      const isFiltered = name === 'things-by-a-filter.bson';
      const archive = dumpArchive([{ collection: 'things', documents: raw }], {
        db: scene.env.MONGO_DB ?? '',
      });
      const plain = isFiltered ? leaveOut(raw) : dumpBson(raw);
      const path = await write(t, name, isArchive ? gzipSync(archive) : plain);
      const args = ['--source', path, ...(isFiltered ? ['--filter', filter, '--verify'] : [])];
      const failpoints = await setFailpoints(t, { 'primary-after-ack': 'kill@15' });
      assert.equal((await scene.run(failpoints.env, ...args)).signal, 'SIGKILL');

      if (isFiltered) {
        const unfiltered = await scene.run({}, '--source', path);
        assertCode(unfiltered, ExitCode.usage);
        assert.match(unfiltered.stderr, /FILTER/);
      } else if (!isArchive) {
        const other = await write(t, name, dumpBson([...raw].reverse()));
        const refused = await scene.run({}, '--source', other);
        assertCode(refused, ExitCode.usage);
        assert.match(refused.stderr, /the dump of \S+\.things is not the one that the run was reading/);
        const server = await scene.run();
        assertCode(server, ExitCode.usage);
        assert.match(server.stderr, /\S+\.things was read from a dump/);
      }
      // The result does not depend on how the work was divided.
      const run = await scene.run({ ITEMS_PER_PAGE: '70' }, ...args);
      assertCode(run, 0);
      assert.match(
        run.notices,
        /continuing run 1 .*: [1-9][\d,]* documents committed, [1-9]\d* gaps? to read/,
      );
      assert.equal(run.summary?.read, 2_000);
      await scene.assertEqual();
    });
  }

  it('a document that crashes workers is found, and becomes a dead letter under its _id', async (t) => {
    const scene = await setScene(t, 200);
    await scene.collection.deleteOne({ _id: 77 as never });
    await scene.collection.insertOne({ _id: 77 as never, text: marker, even: false });
    const path = await write(t, 'things.bson', dumpBson(await readRaw(scene)));
    const failpoints = await setFailpoints(t, {
      'worker-transcode': `${crashAction}?${Buffer.from(marker).toString('hex')}x*`,
    });
    const run = await scene.run(failpoints.env, '--source', path);
    assertCode(run, ExitCode.deadLetters);
    assert.deepEqual(await scene.query('SELECT document_id AS id, reason FROM mongo2pg.dead_letters'), [
      { id: '{"$numberInt":"77"}', reason: 'worker_died' },
    ]);
    await scene.assertEqual({ deadLetters: [77] });
  });
});
