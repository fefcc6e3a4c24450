import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { ExitCode } from '../../src/errors.ts';

describe('exit codes', () => {
  it('are those of the docs', async () => {
    const docs = await readFile('docs/exit-codes.md', 'utf8');
    const told = [...docs.matchAll(/^\| ([\d, ]+) \|/gm)].flatMap(([, codes = '']) => codes.split(', '));
    assert.deepEqual(told.map(Number), Object.values(ExitCode));
  });
});
