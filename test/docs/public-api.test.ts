import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { it } from 'node:test';
import { describePublicApi } from '../../scripts/public-api/describe.ts';

/** Each line with its type: several have equal members. */
function qualify(text: string): string[] {
  let head = '';
  return text.split('\n').map((line) => {
    if (!line.startsWith(' ')) head = line;
    return head === line ? line : `${head}:${line}`;
  });
}

it('the public types are those in test/data/public-api.txt', async () => {
  const written = qualify(await readFile('test/data/public-api.txt', 'utf8'));
  const now = qualify(describePublicApi());
  const gone = written.filter((line) => !now.includes(line)).map((line) => `- ${line}`);
  const come = now.filter((line) => !written.includes(line)).map((line) => `+ ${line}`);
  const changes = [...gone, ...come].join('\n');
  assert.equal(
    changes,
    '',
    `a program that imports the package sees other types; \`npm run api\` accepts that:\n${changes}`,
  );
  assert.deepEqual(now, written, 'their order has changed: `npm run api` accepts that');
});
