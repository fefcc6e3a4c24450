import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { describe, it } from 'node:test';
import { assignToProcesses, writeEntries } from '../../../scripts/test-processes.ts';
import { makeDirectory } from '../../support/embedded.ts';

const filesOf = (folder: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `dist/test/${folder}/${index + 10}.test.js`);

describe('assignToProcesses', () => {
  it('gives each file to one process', () => {
    const files = ['unit', 'fault', 'integration/plan', 'integration/follow'].flatMap((folder) =>
      filesOf(folder, 70),
    );
    for (const atOnce of [1, 4, 18, 100]) {
      assert.deepEqual(assignToProcesses(files, atOnce).flat().sort(), [...files].sort());
    }
  });

  it('has unit tests share three, and those of documents none', () => {
    const folders = ['docs', 'unit/bson', 'unit/transcode', 'unit/transcode/core'];
    const files = folders.flatMap((folder) => filesOf(folder, 40));
    const [core, transcode, units, ...others] = assignToProcesses(files, 4);
    assert.deepEqual(core, filesOf('unit/transcode/core', 40));
    assert.deepEqual(transcode, filesOf('unit/transcode', 40));
    assert.deepEqual(units, filesOf('unit/bson', 40));
    assert.deepEqual(new Set(others.map((files) => files.length)), new Set([1]));
  });

  it('has tests with servers share one, of which the last has only one file', () => {
    const sizes = (count: number, atOnce: number): number[] =>
      assignToProcesses(filesOf('integration/plan', count), atOnce).map((files) => files.length);
    assert.deepEqual(sizes(90, 2), [12, 12, 12, 12, 11, 8, 6, 5, 3, 3, 2, 1, 1, 1, 1]);
    assert.deepEqual(sizes(20, 4), [3, 3, 2, 2, 2, ...Array<number>(8).fill(1)]);
    assert.deepEqual(sizes(8, 4), Array(8).fill(1));
  });
});

describe('writeEntries', () => {
  it('writes a module that imports the files in turn, and none for a file alone', async (t) => {
    const folder = await makeDirectory(t);
    const files = ['a', 'b', 'c'].map((name) => join(folder, `${name}.test.js`));
    for (const file of files) await writeFile(file, `console.log(${JSON.stringify(basename(file))});`);
    const [first = '', second = '', third] = files;
    const [entry = '', ...others] = writeEntries(join(folder, 'entries'), [[second, first], [third ?? '']]);
    assert.deepEqual(others, [third]);
    assert.equal(basename(entry), '01-b-to-a.mjs');
    const { stdout } = spawnSync(process.execPath, [entry], { encoding: 'utf8' });
    assert.equal(stdout, 'b.test.js\na.test.js\n');
  });
});
