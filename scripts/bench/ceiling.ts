/** The ceiling: the same rows as ready-made binary COPY, from memory, through as many streams as there are workers. */

import { once } from 'node:events';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { copyStatement, createTableStatement } from '../../src/postgres/table/ddl.ts';
import { analyzeTable } from '../../src/postgres/table/finish-table.ts';
import { addPrimaryKey } from '../../src/postgres/table/primary-key.ts';
import { copyHeader } from '../../src/transcode/copy/copy-format.ts';
import type { Contestant } from './contestant.ts';
import { connectBench } from './place.ts';

const trailer = Buffer.from([0xff, 0xff]);

export function createCeiling(streams: number): Contestant {
  return {
    name: `ceiling: ready-made binary COPY, ${streams} streams`,
    /** Timed from the first COPY to the end of the index; connecting and creating the table do not count. */
    run: async ({ client, postgresUrl }, { plan, pages }) => {
      await client.query(createTableStatement(plan));
      const connections = await Promise.all(Array.from({ length: streams }, () => connectBench(postgresUrl)));
      try {
        for (const connection of connections) await connection.query('SET synchronous_commit = off');
        const cpu = process.cpuUsage();
        const startedMs = performance.now();
        await Promise.all(
          connections.map((connection, stream) => {
            const own = pages.filter((_, page) => page % streams === stream);
            return copyAll(connection, copyStatement(plan), [Buffer.from(copyHeader), ...own, trailer]);
          }),
        );
        await addPrimaryKey(client, plan);
        await analyzeTable(client, plan);
        const { user, system } = process.cpuUsage(cpu);
        return { wallMs: performance.now() - startedMs, ownCpuMs: (user + system) / 1000 };
      } finally {
        await Promise.all(connections.map((connection) => connection.end()));
      }
    },
  };
}

async function copyAll(client: pg.Client, statement: string, buffers: readonly Buffer[]): Promise<void> {
  const stream = client.query(copyFrom(statement));
  const finished = once(stream, 'finish');
  for (const buffer of buffers) {
    if (!stream.write(buffer)) await once(stream, 'drain');
  }
  stream.end();
  await finished;
}
