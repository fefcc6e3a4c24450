import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { complete } from '../../../src/cli/completion.ts';
import { allCommands } from '../../../src/config/options/commands.ts';

describe('complete', () => {
  it('offers commands and the options of the main command at first', () => {
    assert.deepEqual(complete([], 'se'), ['seed', 'servers']);
    assert.deepEqual(complete([], '--mongo-d'), ['--mongo-db']);
    const offered = complete([], '').filter((word) => !word.startsWith('-'));
    assert.deepEqual(offered.sort(), allCommands.filter((name) => name !== 'start').sort());
  });

  it('offers the options of the current command', () => {
    assert.deepEqual(complete(['plan'], '--o'), ['--object-id', '--object-id-collation', '--out']);
    assert.deepEqual(complete(['status'], '--mongo'), []);
    assert.deepEqual(complete(['cutover'], '--ch'), ['--check']);
    assert.ok(!complete(['plan'], '').includes('verify'));
  });

  it('offers the choices of an option, and leaves files and names to the shell', () => {
    assert.deepEqual(complete(['--if-exists'], 'd'), ['drop']);
    assert.deepEqual(complete(['--mongo-db'], ''), []);
    assert.deepEqual(complete(['--verify'], '--sample-'), ['--sample-size']);
  });
});
