import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { deserialize, EJSON, Int32, ObjectId, serialize, type Document } from 'bson';
import { DamagedDumpError, NothingToCopyError, SourceError } from '../../../../src/common/errors.ts';
import { splitBatch } from '../../../../src/workers/supervisor/split.ts';
import { Crc64 } from '../../../../src/source/dump/crc64.ts';
import type { Batch } from '../../../../src/source/page.ts';
import { describeId } from '../../../../src/bson/json/describe-id.ts';
import { crc64, dumpArchive, dumpBson } from '../../../support/dump.ts';
import { openSource, readDump, readSource } from '../../../support/dump-reader.ts';
import { int32 } from '../../../support/raw-bson.ts';
import { listDocuments } from '../../../../src/bson/cursor.ts';

const documents: Document[] = Array.from({ length: 20 }, (_, index) => ({
  _id: new Int32(index),
  // In JSON nothing of it may be mistaken for a part of the document.
  text: '}{"][\\é'.repeat(index % 4),
  nested: { list: [new Int32(index), { deep: true }] },
}));
const canonical = (document: Document): string => EJSON.stringify(document, { relaxed: false });
const expected = documents.map(canonical);

/** Each form with the same documents of a collection `users`. */
function formsOf(users: readonly Document[]): Readonly<Record<string, Buffer>> {
  const bson = dumpBson(users);
  const texts = users.map(canonical);
  const lines = texts.map((text) => `${text}\n`).join('');
  const others = users.map((document) => ({ ...document, _id: new ObjectId() }));
  return {
    'users.bson': bson,
    'users.bson.gz': gzipSync(bson),
    // The first member ends within a document.
    'two-members.bson.gz': Buffer.concat([gzipSync(bson.subarray(0, 700)), gzipSync(bson.subarray(700))]),
    archive: dumpArchive([
      { collection: 'others', documents: others },
      { collection: 'empty', documents: [] },
      { collection: 'users', documents: users },
    ]),
    'archive.gz': gzipSync(dumpArchive([{ collection: 'users', documents: users }])),
    'users.json': Buffer.from(lines),
    'users.jsonl.gz': gzipSync(lines),
    'windows.json': Buffer.from(`\ufeff${lines.replaceAll('\n', '\r\n')}`),
    'pretty.json': Buffer.from(texts.map((text) => JSON.stringify(JSON.parse(text), null, 2)).join('\n')),
    'array.json': Buffer.from(`[${texts.join(',')}]`),
    'array-of-lines.json': Buffer.from(`[\n${texts.join(',\n')}\n]`),
  };
}

const forms = formsOf(documents);
const lines = String(forms['users.json']);
/** Some megabytes, so that documents lie across the chunks that are read. */
const large = Array.from({ length: 900 }, (_, index) => ({
  _id: new Int32(index),
  text: (index % 3 === 0 ? '{"é\\' : 'plain').repeat((index * 37) % 1100),
}));
const largeForms = formsOf(large);
const collectionOf = (form: string): string | undefined => (form.startsWith('archive') ? 'users' : undefined);

describe('a dump as a source', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mongo2pg-dump-'));
  });
  after(async () => {
    await rm(folder, { recursive: true });
  });

  async function write(name: string, content: string | Uint8Array): Promise<string> {
    const path = join(folder, name);
    await writeFile(path, content);
    return path;
  }

  for (const [form, content] of Object.entries(forms)) {
    describe(form, () => {
      it('gives each document once, in the order of the file', async () => {
        const {
          documents: read,
          pages,
          error,
        } = await readDump(await write(form, content), collectionOf(form));
        assert.equal(error, null);
        assert.deepEqual(read, expected);
        assert.equal(pages, 7);
      });

      it('gives each of many that cross the chunks of the file', async () => {
        const path = await write(form, largeForms[form] ?? Buffer.alloc(0));
        const { documents: read, error } = await readDump(path, collectionOf(form));
        assert.equal(error, null);
        assert.equal(read.length, large.length);
        assert.ok(read.every((text, index) => text === canonical(large[index] ?? {})));
      });

      it('resumes after each of its positions, and ends at each', async () => {
        const source = await openSource(await write(form, content), collectionOf(form));
        const { positions } = await readSource(source, undefined, 4);
        assert.deepEqual(
          positions.map((position) => describeId(position)),
          ['3', '7', '11', '15', '19'].map((digits) => `{"$numberInt":"${digits}"}`),
        );
        for (const [index, position] of positions.entries()) {
          const at = (index + 1) * 4;
          const tail = await readSource(source, { after: position, until: null }, 100);
          const head = await readSource(source, { after: null, until: position }, 100);
          assert.deepEqual([tail.error, tail.documents], [null, expected.slice(at)]);
          assert.deepEqual([head.error, head.documents], [null, expected.slice(0, at)]);
        }
      });

      it('resumes where a page was split', async () => {
        const source = await openSource(await write(form, content), collectionOf(form));
        for await (const page of source.pages({ after: null, until: null }, 20)) {
          const whole: Batch = { number: 1, rangeNo: 1, epoch: 1, after: null, ...page };
          const [first, second] = splitBatch(splitBatch(whole)[1]);
          assert.deepEqual([first.number, second.number], [11, 16]);
          const part = await readSource(source, { after: first.after, until: first.last });
          assert.deepEqual(part.documents, expected.slice(10, 15));
          const rest = await readSource(source, { after: second.after, until: second.last });
          assert.deepEqual(rest.documents, expected.slice(15));
        }
      });

      it('with a filter: gives, counts and samples matching documents, and resumes after each position', async () => {
        const filter = { 'nested.list': { $gte: 5, $lt: 17 }, text: { $ne: '' } };
        const chosen = expected.filter((_, index) => index >= 5 && index < 17 && index % 4 > 0);
        const path = await write(form, content);
        const source = await openSource(path, collectionOf(form), { filter });
        const { documents: read, positions, error } = await readSource(source, undefined, 2);
        assert.equal(error, null);
        assert.deepEqual(read, chosen);
        assert.equal(await source.estimateCount(), chosen.length);
        const { documents: sampled } = await source.sample(100);
        assert.deepEqual(
          sampled.map((document) => canonical(deserialize(document, { promoteValues: false }))),
          chosen,
        );
        for (const [index, position] of positions.entries()) {
          const tail = await readSource(source, { after: position, until: null }, 100);
          const head = await readSource(source, { after: null, until: position }, 100);
          assert.deepEqual(tail.documents, chosen.slice(2 * (index + 1)));
          assert.deepEqual(head.documents, chosen.slice(0, 2 * (index + 1)));
        }
      });

      it('truncated anywhere: the complete part is read, and then the place is reported', async () => {
        const isList = form.endsWith('.json') && !form.startsWith('array');
        const isPlain = form.endsWith('.bson') || isList;
        const firstCut = form === 'windows.json' ? '\ufeff'.length + 3 : 1;
        // Each byte at both ends, where most structure is; between them a step that is a prime.
        const { length: whole } = content;
        const isAtEdge = (length: number): boolean => length < 40 || whole - length < 30;
        for (let length = firstCut; length < whole; length += isAtEdge(length) ? 1 : 61) {
          const { documents: read, error } = await readDump(
            await write(form, content.subarray(0, length)),
            collectionOf(form),
          );
          assert.deepEqual(read, expected.slice(0, read.length), `cut to ${length}`);
          const endsWhole = isPlain && isBetweenDocuments(content, length, isList);
          // The collection is complete once its checksum is; the rest is the end of gzip.
          if (form === 'archive.gz' && whole - length < 12 && error === null) {
            assert.equal(read.length, expected.length);
          } else if (endsWhole) {
            assert.ok(error === null || error instanceof NothingToCopyError, `cut to ${length}`);
          } else {
            assert.ok(error instanceof SourceError, `cut to ${length} of ${content.length}`);
          }
        }
      });
    });
  }

  /** Completeness can only be checked by a format that marks its end. */
  function isBetweenDocuments(content: Buffer, length: number, isList: boolean): boolean {
    if (!isList) {
      let at = 0;
      while (at < length) at += content.readInt32LE(at);
      return at === length;
    }
    const text = content.subarray(0, length).toString('utf8');
    const begin = text.search(/\{\s*"_id"(?![^]*\{\s*"_id")/);
    return begin < 0 ? text.replace('\ufeff', '').trim() === '' : isJson(text.slice(begin));
  }

  function isJson(text: string): boolean {
    try {
      JSON.parse(text);
      return true;
    } catch {
      return false;
    }
  }

  const hostile: readonly (readonly [what: string, bytes: Buffer, problem: RegExp])[] = [
    ['a length of 0', int32(0), /corrupt at byte 1,\d+: 0 is not a valid length of a document/],
    ['a length of 4', int32(4), /4 is not a valid length of a document/],
    ['a negative length', int32(-5), /-5 is not a valid length of a document/],
    ['a length of 2 GB', int32(0x7fffffff), /2,147,483,647 is not a valid length of a document/],
    [
      'a length beyond the file',
      int32(10_000),
      /is cut off at byte 1,\d+, within the document that begins at byte 1,\d+/,
    ],
    [
      'a document without its end',
      Buffer.from('0500000001', 'hex'),
      /a document of 5 bytes has no terminator/,
    ],
  ];
  for (const [what, bytes, problem] of hostile) {
    it(`with ${what}: reports the place, and gives the part before`, async () => {
      const path = await write('hostile.bson', Buffer.concat([dumpBson(documents), bytes]));
      const { documents: read, error } = await readDump(path);
      assert.deepEqual(read, expected);
      assert.ok(error instanceof DamagedDumpError);
      assert.match(error.message, problem);
      assert.match(error.fix, /start from scratch with --restart/);
    });
  }

  it('takes a document of 16 MB as a page of its own', async () => {
    const huge = { _id: 1, text: 'x'.repeat(16 * 1024 * 1024 - 40) };
    const path = await write('large.bson', dumpBson([documents[0] ?? {}, huge, documents[2] ?? {}]));
    const source = await openSource(path);
    const sizes: number[] = [];
    for await (const { documentCount } of source.pages({ after: null, until: null }, 100)) {
      sizes.push(documentCount);
    }
    assert.deepEqual(sizes, [1, 1, 1]);
  });

  it('of JSON: reports the line of an invalid document', async () => {
    const path = await write('bad.json', `${lines}{"_id":20}\n\n{"_id":21,}\n{"_id":22}\n`);
    const { documents: read, error } = await readDump(path);
    assert.equal(read.length, 21);
    assert.match(
      String(error?.message),
      /bad\.json, line 23 \(byte \d,\d+\): a name in double quotes must come here/,
    );
  });

  for (const [text, problem] of [
    ['[{"_id":1} {"_id":2}]', /line 1 \(byte 11\): a comma must come here/],
    ['[{"_id":1},]', /line 1 \(byte 11\): a document must begin here/],
    ['[{"_id":1}]{"_id":2}', /line 1 \(byte 11\): the array has ended/],
    ['{"_id":1}\n7', /line 2 \(byte 10\): a document must begin here/],
    ['{"_id":1},{"_id":2}', /line 1 \(byte 9\): a document must begin here/],
  ] as const) {
    it(`of JSON: refuses ${JSON.stringify(text)} after its first document`, async () => {
      const { documents: read, error } = await readDump(await write('list.json', text));
      assert.deepEqual([read.length, error instanceof DamagedDumpError], [1, true]);
      assert.match(String(error?.message), problem);
    });
  }

  it('of broken gzip: gives what could be decompressed, and reports where it ends', async () => {
    const random = Array.from({ length: 3000 }, (_, index) => ({
      _id: index,
      value: new ObjectId().toHexString(),
    }));
    const zipped = gzipSync(dumpBson(random));
    zipped.fill(0xff, zipped.length - 3000, zipped.length - 2900);
    const { documents: read, error } = await readDump(await write('broken.bson.gz', zipped));
    assert.ok(error instanceof DamagedDumpError);
    assert.match(error.message, /gzip is corrupt .* after byte \d+ of its content/);
    assert.deepEqual(
      read,
      random.slice(0, read.length).map((of) => canonical({ ...of, _id: new Int32(of._id) })),
    );
  });

  it('of an archive: a wrong checksum is reported when all was read', async () => {
    const path = await write(
      'wrong',
      dumpArchive([{ collection: 'users', documents }], { checksumError: 1n }),
    );
    const { documents: read, error } = await readDump(path, 'users');
    assert.deepEqual(read, expected);
    assert.ok(error instanceof DamagedDumpError);
    assert.match(error.message, /school\.users does not match its checksum/);
  });

  it('computes checksums as they are published', () => {
    const crc = new Crc64();
    crc.update(Buffer.from('123456789'));
    assert.equal(BigInt.asUintN(64, crc.value), 0x995dc9bbdf1939fan);
    for (const parts of [
      [3, 5],
      [1, 2, 4],
      [0, 9],
    ]) {
      const split = new Crc64();
      let at = 0;
      for (const size of parts) split.update(Buffer.from('abcdefghijk').subarray(at, (at += size)));
      assert.equal(BigInt.asUintN(64, split.value), crc64(Buffer.from('abcdefghijk').subarray(0, at)));
    }
  });

  it('counts exactly, and samples all parts alike and always the same', async () => {
    const many = Array.from({ length: 20_000 }, (_, index) => ({ _id: index }));
    const path = await write('many.bson', dumpBson(many));
    const ids: number[][] = [];
    for (let time = 0; time < 2; time++) {
      const source = await openSource(path);
      const sample = await source.sample(1000);
      assert.equal(await source.estimateCount(), 20_000);
      ids.push(sample.documents.map((document) => Buffer.from(document).readInt32LE(9)));
      assert.equal((await source.sample(100)).documents.length, 100);
    }
    const [first = [], second] = ids;
    assert.deepEqual(first, second);
    assert.deepEqual([new Set(first).size, [...first].sort((a, b) => a - b)], [1000, first]);
    for (let part = 0; part < 10; part++) {
      const count = first.filter((id) => Math.floor(id / 2000) === part).length;
      // Six standard deviations of a binomial distribution.
      assert.ok(Math.abs(count - 100) < 60, `${count} of part ${part}`);
    }
  });

  it('is identified by its content, and not by its name or path', async () => {
    const id = async (name: string, content: Buffer): Promise<string | null> =>
      (await openSource(await write(name, content))).identity;
    const one = await id('one.bson', dumpBson(documents));
    assert.equal(await id('two.bson', dumpBson(documents)), one);
    assert.notEqual(await id('one.bson', dumpBson([...documents.slice(1), documents[0] ?? {}])), one);
    assert.notEqual(await id('one.bson', dumpBson(documents.slice(1))), one);
  });

  it('keeps its position over documents without an _id, and corrupt ones', async () => {
    const corrupt = Buffer.from(serialize({ _id: 1, a: 'text' }));
    corrupt[4] = 0x77;
    const path = await write(
      'odd.bson',
      Buffer.concat([dumpBson([{ _id: 0 }, { a: 1 }]), corrupt, dumpBson([{ _id: 2 }])]),
    );
    const source = await openSource(path);
    const counts: number[] = [];
    for await (const { bytes: array, last } of source.pages({ after: null, until: null }, 1)) {
      counts.push(listDocuments(array).length);
      const rest = source.pages({ after: last, until: null }, 10);
      let left = 0;
      for await (const { documentCount } of rest) left += documentCount;
      assert.equal(left, 4 - counts.length);
    }
    assert.deepEqual(counts, [1, 1, 1, 1]);
  });

  it('with a filter: gives corrupt documents as well, since they cannot be matched', async () => {
    const corrupt = Buffer.from(serialize({ _id: 1, a: 'text' }));
    corrupt[4] = 0x77;
    const path = await write('odd.bson', Buffer.concat([dumpBson([{ _id: 0 }, { _id: 2, b: 1 }]), corrupt]));
    const source = await openSource(path, undefined, { filter: { b: { $gt: 0 } } });
    const counts: number[] = [];
    for await (const { documentCount } of source.pages({ after: null, until: null }, 1)) {
      counts.push(documentCount);
    }
    assert.deepEqual(counts, [1, 1]);
    assert.equal(await source.estimateCount(), 2);
  });

  it('is refused when its first document has no _id', async () => {
    await assert.rejects(
      openSource(await write('bare.json', '{"a":1}\n')),
      /the first document of \S+\.bare has no _id/,
    );
  });

  it('is refused if it is no dump, or missing', async () => {
    await assert.rejects(
      openSource(await write('notes.txt', 'hello')),
      /is not a mongodump archive, and its name/,
    );
    await assert.rejects(
      openSource(await write('zipped.bson', forms['users.bson.gz'] ?? '')),
      /zipped\.bson is gzip, but its name does not end in .gz/,
    );
    await assert.rejects(openSource(join(folder, 'none.bson')), /there is no such file or folder/);
    await assert.rejects(openSource(await write('empty.bson', '')), NothingToCopyError);
    await assert.rejects(openSource('/dev/null'), /neither a file nor a folder/);
  });
});
