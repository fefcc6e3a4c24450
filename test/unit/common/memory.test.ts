import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { it } from 'node:test';
import { promisify } from 'node:util';
import type { Memory } from '../../../src/common/memory.ts';

const size = 64e6;
const module = new URL('../../../src/common/memory.js', import.meta.url).href;

/** In a separate process, where no memory of others is freed meanwhile. */
async function measure(reader: string): Promise<{ before: Memory; during: Memory; last: number }> {
  const code = `import { ${reader} as read } from ${JSON.stringify(module)};
    const before = read();
    const block = Buffer.alloc(${size}, 1);
    const during = read();
    console.log(JSON.stringify({ before, during, last: block.at(-1) }));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', code]);
  return JSON.parse(stdout) as { before: Memory; during: Memory; last: number };
}

for (const reader of ['readProcessMemory', 'readThreadMemory']) {
  it(`${reader} returns the current and the peak memory`, async () => {
    const { before, during, last } = await measure(reader);
    assert.equal(last, 1);
    assert.ok(during.memoryBytes > before.memoryBytes + 0.9 * size, JSON.stringify({ before, during }));
    assert.ok(during.peakMemoryBytes >= during.memoryBytes, JSON.stringify(during));
  });
}

it('collectGarbageLess uses flags that the V8 of this Node accepts silently', async () => {
  const code = `import { collectGarbageLess } from ${JSON.stringify(module)};
    collectGarbageLess();`;
  const reported = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', code]);
  assert.deepEqual(reported, { stdout: '', stderr: '' });
});
