/** Links within the documents refer to existing files and headings. */

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { it } from 'node:test';
import { readDocuments } from '../support/documents.ts';

it('links are valid', () => {
  const broken = readDocuments().flatMap(({ file }) =>
    [...readFileSync(file, 'utf8').matchAll(/\]\(([^):]+)\)/g)]
      .map(([, link = '']) => link)
      .filter((link) => !isThere(file, link))
      .map((link) => `${file}: ${link}`),
  );
  assert.deepEqual(broken, []);
});

function isThere(file: string, link: string): boolean {
  const [path = '', heading] = link.split('#');
  const target = path === '' ? file : join(dirname(file), path);
  if (!existsSync(target)) return false;
  if (heading === undefined) return true;
  const headings = readFileSync(target, 'utf8').matchAll(/^#+ (.*)$/gm);
  return [...headings].some(([, text = '']) => slug(text) === heading);
}

/** The anchor as GitHub generates it. */
function slug(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-');
}
