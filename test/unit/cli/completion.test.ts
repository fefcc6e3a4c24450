import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { complete } from '../../../src/cli/completion.ts';

describe('complete', () => {
  it('offers commands and the options of the main command at first', () => {
    assert.deepEqual(complete([], 'se'), ['seed', 'servers']);
    assert.deepEqual(complete([], '--mongo-d'), ['--mongo-db']);
  });

  it('offers the options of the command at hand', () => {
    assert.deepEqual(complete(['plan'], '--o'), ['--object-id', '--out']);
    assert.deepEqual(complete(['status'], '--mongo'), []);
    assert.ok(!complete(['plan'], '').includes('verify'));
  });

  it('offers the choices of an option, and leaves files and names to the shell', () => {
    assert.deepEqual(complete(['--if-exists'], 'd'), ['drop']);
    assert.deepEqual(complete(['--mongo-db'], ''), []);
    assert.deepEqual(complete(['--verify'], '--sample-'), ['--sample-size']);
  });
});
