/** The files and functions that documents for developers name exist. */

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { readDocuments } from '../support/documents.ts';

const guide = 'DEVELOPMENT.md';

/** `src/a/b.ts` or `src/a/`, and what stands in the same repository. */
const pathPattern = /`((?:src|test|packages|scripts|docs|\.ci)\/[\w./*-]*)`/g;

/** A line of a walk: `src/a/b.ts` → `function`. */
const stepPattern = /`(src\/[\w./-]+\.ts)` → `(#?\w+)`/g;

describe('paths in the documents', () => {
  for (const file of [guide, ...readDocuments().map((document) => document.file)]) {
    it(`${file}: each exists`, () => {
      const paths = [...readFileSync(file, 'utf8').matchAll(pathPattern)].map(([, path = '']) => path);
      const missing = paths.filter((path) => !path.includes('*') && !isThere(path));
      assert.deepEqual(missing, []);
    });
  }
});

describe('functions in the walks', () => {
  const steps = [...readFileSync(guide, 'utf8').matchAll(stepPattern)];

  it('are found', () => {
    assert.ok(steps.length > 30, `found ${steps.length}`);
  });

  for (const [, path = '', name = ''] of steps) {
    it(`${path} has ${name}`, () => {
      assert.match(readFileSync(path, 'utf8'), definitionOf(name));
    });
  }
});

/** Tests are named without their ending. */
function isThere(path: string): boolean {
  return existsSync(path) || existsSync(`${path}.test.ts`);
}

/** Of a function, a class or a constant at the start of a line, or of a method within a class. */
function definitionOf(name: string): RegExp {
  const declared = String.raw`(?:export )?(?:async )?(?:function\*?|class|const) ${name}\b`;
  const method = String.raw`  (?:static )?(?:async )?\*?${name}(?:<[^>]*>)?\(`;
  return new RegExp(`^(?:${declared}|${method})`, 'm');
}
