import assert from 'node:assert/strict';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { describe, it } from 'node:test';
import { createCeiling } from '../../../scripts/bench/ceiling.ts';
import { runContestant, type Contestant } from '../../../scripts/bench/contestant.ts';
import { seedDocuments } from '../../../scripts/bench/documents.ts';
import { prepareInput, type Input } from '../../../scripts/bench/input.ts';
import { compareLocales } from '../../../scripts/bench/locales.ts';
import { createNaive } from '../../../scripts/bench/naive-contestant.ts';
import { tableName } from '../../../scripts/bench/names.ts';
import { findPeers } from '../../../scripts/bench/peers.ts';
import { clearTable, readChecksum, withPlace, type Place } from '../../../scripts/bench/place.ts';
import { createTool } from '../../../scripts/bench/tool.ts';
import { Venv } from '../../../scripts/bench/venv.ts';
import type { User } from '../../../src/cli/users/user.ts';

const amount = 100;
const isLinux = process.platform === 'linux';

/** @returns the checksum of its table */
async function fill(contestant: Contestant, place: Place, input: Input): Promise<string> {
  await clearTable(place);
  const { wallMs, cpuMs, pssBytes } = await runContestant(contestant, place, input);
  assert.ok(wallMs > 0);
  if (isLinux) assert.ok((cpuMs ?? 0) > 0, contestant.name);
  // The ceiling has no separate process.
  if (isLinux && contestant.name.startsWith('ceiling')) assert.equal(pssBytes, null);
  else if (isLinux) assert.ok((pssBytes ?? 0) > 1e6, contestant.name);
  return await readChecksum(place);
}

/** Writes the users of the table as mongoexport does. @returns the folder */
async function pretendExport({ client, folder }: Place): Promise<string> {
  const { rows } = await client.query<User & { _id: string }>(`SELECT * FROM ${tableName}`);
  const lines = rows.map(({ _id, id, username, email, age, createdAt }) =>
    [`ObjectId(${_id})`, id, username, email, age, createdAt.toISOString()].join(','),
  );
  const text = ['_id,id,username,email,age,createdAt', ...lines, ''].join('\n');
  const bin = join(folder, 'bin');
  await mkdir(bin);
  await writeFile(join(bin, 'users.csv'), text);
  await writeFile(join(bin, 'mongoexport'), `#!/bin/sh\ncat '${join(bin, 'users.csv')}'\n`);
  await chmod(join(bin, 'mongoexport'), 0o755);
  return bin;
}

describe('contestants of the benchmark', () => {
  it('fill equal tables', async (t) => {
    await withPlace({ sourceMs: 0, targetMs: 0 }, async (place) => {
      await seedDocuments(place.mongoUrl, 'users', 0, amount);
      const input = await prepareInput(place);
      const wanted = await fill(createCeiling(2), place, input);
      assert.match(wanted, new RegExp(`^${amount} rows,`));
      for (const contestant of [createTool({ pool: 'cluster' }), createNaive('copy')]) {
        assert.equal(await fill(contestant, place, input), wanted, contestant.name);
      }

      const path = process.env.PATH ?? '';
      const real = await findPeers(place.folder, Venv.named());
      const hasExport = real.contestants.some(({ name }) => name.startsWith('mongoexport'));
      if (!hasExport) process.env.PATH = [await pretendExport(place), path].join(delimiter);
      t.after(() => (process.env.PATH = path));
      const { contestants, missing } = await findPeers(place.folder, Venv.named());
      for (const contestant of contestants) {
        await t.test(contestant.name, async () => {
          const checksum = await fill(contestant, place, input);
          if (contestant.table === undefined) assert.equal(checksum, wanted);
          else assert.match(checksum, new RegExp(`^${amount} rows,`));
        });
      }
      for (const line of [...missing, ...(hasExport ? [] : real.missing.slice(-1))]) {
        await t.test(line, { skip: line }, () => undefined);
      }

      const report = await compareLocales(place, { amount, rounds: 1 });
      assert.equal(report.match(/^\| database in /gm)?.length, 6, report);
      const { rows } = await place.client.query<{ locales: string[] }>(
        "SELECT array_agg(datname::text || ' ' || datlocprovider::text ORDER BY datname) AS locales FROM pg_database WHERE datname LIKE 'bench%'",
      );
      assert.match(rows[0]?.locales.join(', ') ?? '', /^bench_c c, bench_en_us [ci]$/);
    });
  });
});
