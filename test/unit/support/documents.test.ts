import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { listCommands, readDocument, splitCommand } from '../../support/documents.ts';

function readBlocks(...lines: string[]) {
  return readDocument('docs/some.md', lines.join('\n')).blocks;
}

describe('commands of a document', () => {
  it('are the lines of a shell script, without comments', () => {
    const [block] = readBlocks(
      '```sh',
      '# first',
      'A=1 \\',
      'npm start',
      '',
      'npm run verify   # compares',
      '```',
    );
    assert.ok(block !== undefined);
    const commands = listCommands(block).map(({ text }) => text);
    assert.deepEqual(commands, ['A=1  npm start', 'npm run verify   # compares']);
    assert.deepEqual(commands.flatMap(splitCommand), ['npm start', 'npm run verify']);
  });

  it('follow prompts, with their output below', () => {
    const [block] = readBlocks('```console', '$ npm start', 'done', 'school=> SELECT 1;', ' 1', '```');
    assert.ok(block !== undefined);
    assert.deepEqual(listCommands(block), [
      { prompt: 'shell', text: 'npm start', output: ['done'] },
      { prompt: 'sql', text: 'SELECT 1;', output: [' 1'] },
    ]);
  });

  it('have notes in the comment right before them, and in no other', () => {
    const noted = readBlocks('<!-- file a.json, refused -->', '', '```json', '{}', '```');
    assert.deepEqual(noted[0]?.notes, ['file a.json', 'refused']);
    const apart = readBlocks('<!-- options -->', 'text', '```json', '{}', '```');
    assert.deepEqual(apart[0]?.notes, []);
  });

  it('are an error in a block that is not run', () => {
    for (const line of ['$ npm start', 'school=# SELECT 1;']) {
      const [block] = readBlocks('```text', line, '```');
      assert.ok(block !== undefined);
      assert.throws(() => listCommands(block), /belong into a console block/);
    }
    assert.throws(() => readBlocks('```sh', 'npm start'), /does not end/);
  });

  it('are quoted in sentences; the name of a program alone is none', () => {
    const { quoted } = readDocument(
      'docs/some.md',
      'What `mongodump` wrote, `SOURCE=dump npm start` reads: `npm ci`',
    );
    assert.deepEqual(
      quoted.map(({ text }) => text),
      ['SOURCE=dump npm start', 'npm ci'],
    );
  });
});
