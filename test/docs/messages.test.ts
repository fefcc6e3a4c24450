/** The messages that documents quote are those that the code has. */

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';

/** Of tables: the page, and the heading of the column with messages. */
const pages = [
  ['docs/troubleshooting.md', 'message'],
  ['docs/tuning.md', 'the last line'],
] as const;

const source = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => blurHoles(readFileSync(join('src', file), 'utf8')))
  .join('\n');

describe('messages in the documents', () => {
  for (const [page, heading] of pages) {
    it(`${page}: each is in the source`, () => {
      const messages = listMessages(readFileSync(page, 'utf8'), heading);
      assert.ok(messages.length > 5);
      // At the end, … stands for all that follows.
      const unknown = messages.filter((message) => !source.includes(message.replace(/…$/, '')));
      assert.deepEqual(unknown, []);
    });
  }
});

/** All code in the first column of such tables. */
function listMessages(text: string, heading: string): string[] {
  let isIn = false;
  return text.split('\n').flatMap((line) => {
    if (!line.startsWith('|')) {
      isIn = false;
      return [];
    }
    const [, first = ''] = line.split('|');
    if (first.trim() === heading) isIn = true;
    return isIn ? [...first.matchAll(/`([^`]+)`/g)].map(([, message = '']) => message) : [];
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
