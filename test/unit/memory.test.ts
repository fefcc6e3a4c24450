import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { readProcessMemory, readThreadMemory } from '../../src/memory.ts';

/** Kept until the end, so that nothing is given back while the next is measured. */
const blocks: Buffer[] = [];

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

for (const read of [readProcessMemory, readThreadMemory]) {
  it(`${read.name} tells how much there is, and at most was`, () => {
    const size = 64e6;
    // What other tests have left would be given back while this is measured.
    collectGarbage();
    const before = read();
    blocks.push(Buffer.alloc(size, 1));
    const during = read();
    assert.equal(blocks.at(-1)?.at(-1), 1);
    assert.ok(during.memoryBytes > before.memoryBytes + 0.9 * size, JSON.stringify({ before, during }));
    assert.ok(during.peakMemoryBytes >= during.memoryBytes, JSON.stringify(during));
  });
}
