/** Scenes of several hosts that load distributed tables of Citus together. */

import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type pg from 'pg';
import { ExitCode } from '../../src/common/errors.ts';
import type { CitusCluster } from './citus.ts';
import { createClient } from './date-style.ts';
import { assertCode, setSceneOn, type Scene } from './fault.ts';
import { assertAccount, longLease } from './hosts.ts';
import { mongoUrl } from './servers.ts';

/** One index at a time on each host, so that there is something left for the others. */
export const distributed = { ...longLease, DISTRIBUTE: 'true', PLAN_SCHEMA: 'relational', INDEX_JOBS: '1' };

/** The hosts start with the URL of the coordinator. */
export async function setHostsScene(t: TestContext, citus: CitusCluster): Promise<Scene> {
  const query: Scene['query'] = (sql, values) => queryOnce(citus.url, sql, values);
  await query('DROP TABLE IF EXISTS things_tags, things');
  const scene = await setSceneOn(t, { mongoUrl, postgresUrl: citus.url }, 2_000, 'inline');
  await scene.collection.updateMany({}, [{ $set: { tags: [{ a: 1 }, { a: '$_id' }] } }]);
  await scene.collection.createIndexes([
    { key: { text: 1 }, name: 'by_text' },
    { key: { even: 1, text: -1 }, name: 'by_both' },
    { key: { 'tags.a': 1 }, name: 'by_tag' },
  ]);
  return { ...scene, query };
}

/** A crash ends connections: each query has its own. */
export async function queryOnce<Row extends pg.QueryResultRow>(
  url: string,
  sql: string,
  values: unknown[] = [],
): Promise<Row[]> {
  const client = createClient(url);
  await client.connect();
  try {
    return (await client.query<Row>(sql, values)).rows;
  } finally {
    await client.end();
  }
}

/** The tables' rows are on both nodes, and what one process compares is equal. */
export async function assertCopied(scene: Scene): Promise<void> {
  const [spread] = await scene.query<{ nodes: number }>(
    `SELECT count(DISTINCT nodeport)::int AS nodes FROM citus_shards WHERE table_name = 'things'::regclass`,
  );
  assert.equal(spread?.nodes, 2);
  await assertAccount(scene, 2_000);
  assertCode(await scene.run({}, 'verify'), ExitCode.ok);
  const [counts] = await scene.query(
    'SELECT (SELECT count(*)::int FROM things) AS things, (SELECT count(*)::int FROM things_tags) AS tags',
  );
  assert.deepEqual(counts, { things: 2_000, tags: 4_000 });
  const indexes = await scene.query<{ name: string }>(
    `SELECT indexname AS name FROM pg_indexes WHERE tablename LIKE 'things%' ORDER BY 1`,
  );
  assert.deepEqual(
    indexes.map(({ name }) => name),
    ['things_by_both', 'things_by_tag', 'things_by_text', 'things_pkey', 'things_tags_pkey'],
  );
}
