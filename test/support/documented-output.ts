/** The output of commands as documents show it, compared with what was printed. */

import assert from 'node:assert/strict';
import type { Command } from './documents.ts';

/** Lines that depend on the machine: progress, and the bottleneck. */
const aboutSpeed =
  / docs\/s · |^ {2}(plan|workers:|busy:|peak memory:) |bottleneck|Too small to tell|CLUSTER_SIZE=auto/;

/** Asserts that each line that the document shows was printed, possibly with other numbers; … matches anything. */
export function assertShown({ output }: Pick<Command, 'output'>, printed: string, place: string): void {
  const lines = printed.split('\n').map(blurNumbers);
  for (const line of output.filter((one) => !aboutSpeed.test(one))) {
    const parts = blurNumbers(line)
      .split('…')
      .map((part) => part.replaceAll(/[^\w\s]/g, String.raw`\$&`));
    const pattern = new RegExp(`^${parts.join('.*')}$`);
    assert.ok(
      lines.some((one) => pattern.test(one)),
      `not printed: ${line}\n${place}`,
    );
  }
}

function blurNumbers(line: string): string {
  return line
    .replace(/^\^C/, '')
    .trimEnd()
    .replaceAll(/\d[\d,.:-]*/g, '0');
}
