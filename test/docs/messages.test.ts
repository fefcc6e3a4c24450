/** The messages that documents quote are in the code. */

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';

/** Of tables: the page, and the heading of the column with messages. */
const pages = [
  ['docs/troubleshooting.md', 'message'],
  ['docs/tuning.md', 'the last line'],
] as const;

const source = ['src', 'packages/trial-servers/src']
  .flatMap((root) => readdirSync(root, { recursive: true, encoding: 'utf8' }).map((file) => join(root, file)))
  .filter((file) => file.endsWith('.ts'))
  .map((file) => blurHoles(readFileSync(file, 'utf8')))
  .join('\n');

describe('messages in the documents', () => {
  for (const [page, heading] of pages) {
    it(`${page}: each is in the source`, () => {
      const messages = listColumn(readFileSync(page, 'utf8'), heading);
      assert.ok(messages.length > 5);
      // At the end, … stands for all that follows.
      const unknown = messages.filter((message) => !source.includes(message.replace(/…$/, '')));
      assert.deepEqual(unknown, []);
    });
  }
});

describe('codes of errors', () => {
  it('docs/troubleshooting.md has each of them, and no other', () => {
    const documented = listColumn(readFileSync('docs/troubleshooting.md', 'utf8'), 'code');
    const made = [...source.matchAll(/(?:\bcode: |\bexplain\(\s*)'([A-Z][A-Z_]+)'/g)].map(
      ([, code = '']) => code,
    );
    assert.ok(new Set(made).size > 100);
    assert.deepEqual([...new Set(documented)].sort(), [...new Set(made)].sort());
  });
});

/** All code in the columns of tables that have this heading. */
function listColumn(text: string, heading: string): string[] {
  let column = -1;
  let isHead = true;
  return text.split('\n').flatMap((line) => {
    const cells = line.split('|').map((cell) => cell.trim());
    if (isHead) column = cells.indexOf(heading);
    isHead = !line.startsWith('|');
    const cell = column < 0 || isHead ? '' : (cells[column] ?? '');
    return [...cell.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code);
  });
}

/** `no MongoDB answers at ${where}` is `no MongoDB answers at …`; a hole may have holes in it. */
function blurHoles(text: string): string {
  let out = '';
  let depth = 0;
  for (let index = 0; index < text.length; index++) {
    if (text.startsWith('${', index)) depth++;
    if (depth === 0) out += text[index] ?? '';
    if (depth > 0 && text[index] === '{' && text[index - 1] !== '$') depth++;
    if (depth > 0 && text[index] === '}' && --depth === 0) out += '…';
  }
  return out;
}
