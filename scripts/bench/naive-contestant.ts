/** Runs `naive.ts` in a process of its own. */

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createTableStatement } from '../../src/postgres/table/ddl.ts';
import type { Contestant } from './contestant.ts';
import type { ways } from './naive.ts';

const execute = promisify(execFile);
const program = fileURLToPath(new URL('naive.js', import.meta.url));

const names = {
  insert: 'skip/limit, one INSERT a row',
  'multi-insert': 'skip/limit, INSERT of 1,000 rows',
  copy: 'one process: find() and text COPY',
} as const satisfies Record<(typeof ways)[number], string>;

export function createNaive(way: keyof typeof names): Contestant {
  return {
    name: names[way],
    run: async ({ client, mongoUrl, postgresUrl, node }, { plan }) => {
      await client.query(createTableStatement(plan));
      const env = { ...process.env, MONGO_URL: mongoUrl, POSTGRES_URL: postgresUrl };
      const startedMs = performance.now();
      const { stdout } = await execute(node, [program, way], { env });
      return { wallMs: performance.now() - startedMs, peakBytes: { primary: Number(stdout) } };
    },
  };
}
