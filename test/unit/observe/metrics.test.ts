import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import type { ProgressEvent } from '../../../src/observe/events.ts';
import { CollectedMetrics } from '../../../src/observe/metrics.ts';
import { followed, following } from '../../support/following-event.ts';

const source = 'school.users';

function progress(changes: Partial<ProgressEvent>): ProgressEvent {
  return {
    kind: 'progress',
    source,
    documents: 0,
    bytes: 0,
    expectedDocuments: 0,
    committedBefore: 0,
    deadLettered: 0,
    dropped: 0,
    inFlightBatches: 0,
    inFlightBytes: 0,
    liveWorkers: 2,
    elapsedMs: 500,
    workers: 2,
    ...changes,
  };
}

async function read(metrics: CollectedMetrics, name: string, labels = ''): Promise<number> {
  const text = await metrics.registry.metrics();
  const line = text.split('\n').find((one) => one.startsWith(`mongo2pg_${name}${labels} `));
  return Number(line?.split(' ').at(-1));
}

describe('metrics', () => {
  it('are named by the conventions of Prometheus, and are all in the docs', async () => {
    const docs = await readFile('docs/monitoring.md', 'utf8');
    for (const { name, help, type } of await new CollectedMetrics().registry.getMetricsAsJSON()) {
      // prom-client's own enum is not what comes out.
      const isCounter = String(type) === 'counter';
      assert.equal(name.endsWith('_total'), isCounter, name);
      assert.match(name, /^mongo2pg_[a-z_]+$/);
      const row = docs.split('\n').find((line) => line.startsWith(`| \`${name}\` |`));
      assert.ok(
        row?.includes(help.replace(/\.$/, '')),
        `${name}: ${help} — in the docs: ${row ?? 'nothing'}`,
      );
      assert.ok(row?.includes(`| ${String(type)} |`), row);
    }
  });

  it('show the current totals, also if a crash of Postgres has reduced some', async () => {
    const metrics = new CollectedMetrics();
    metrics.onEvent(progress({ documents: 100, deadLettered: 3, bytes: 1_000 }));
    metrics.onEvent(progress({ documents: 60, deadLettered: 1, bytes: 600, inFlightBatches: 4 }));
    const labels = `{collection="${source}"}`;
    assert.equal(await read(metrics, 'documents_total', labels), 60);
    assert.equal(await read(metrics, 'dead_letters_total', labels), 1);
    assert.equal(await read(metrics, 'document_bytes_total', labels), 600);
    assert.equal(await read(metrics, 'elapsed_seconds', labels), 0.5);
    assert.equal(await read(metrics, 'in_flight_batches'), 4);
  });

  it('count compared documents beside loaded ones', async () => {
    const metrics = new CollectedMetrics();
    metrics.onEvent(progress({ documents: 100 }));
    const verifying = { table: 'users', run: 'run 1', expectedDocuments: 100, workers: 2 };
    metrics.onEvent({ kind: 'verifying', source, ...verifying });
    metrics.onEvent(progress({ documents: 7 }));
    const labels = `{collection="${source}"}`;
    assert.equal(await read(metrics, 'documents_total', labels), 100);
    assert.equal(await read(metrics, 'compared_documents_total', labels), 7);
  });

  it('count retries by server, and show failures', async () => {
    const metrics = new CollectedMetrics();
    assert.equal(await read(metrics, 'retries_total', '{server="postgres"}'), 0);
    metrics.onEvent({ kind: 'retried', server: 'mongodb', times: 1, reason: 'gone' });
    metrics.onEvent({ kind: 'retried', server: 'postgres', times: 2, reason: null });
    metrics.onEvent({ kind: 'retried', server: 'postgres', times: 1, reason: 'gone' });
    assert.equal(await read(metrics, 'retries_total', '{server="mongodb"}'), 1);
    assert.equal(await read(metrics, 'retries_total', '{server="postgres"}'), 3);
    metrics.onEvent({ kind: 'finishing', source });
    const failure = { source, message: 'no', fix: '', code: 'SOME_CODE', exitCode: 4 } as const;
    metrics.onEvent({ kind: 'failed', work: 'copy', ...failure, isAlone: true });
    assert.equal(await read(metrics, 'notices_total'), 3);
    const state = (name: string) => read(metrics, 'state', `{collection="${source}",state="${name}"}`);
    assert.deepEqual([await state('finishing'), await state('failed')], [0, 1]);
  });

  it('show following, with current totals, and without unknown values', async () => {
    const metrics = new CollectedMetrics();
    for (const name of ['lag_seconds', 'can_cut_over', 'journal_rows', 'oldest_change_seconds']) {
      assert.ok(Number.isNaN(await read(metrics, name)), `${name} has no value before anything is followed`);
    }
    const users = followed(source, { inserted: 3, updated: 5, deleted: 2 });
    const behind = {
      lagMs: 12_000,
      readLagMs: 3_000,
      oldestWaitingMs: 9_000,
      waiting: 40,
      refused: 2,
      liveWorkers: 1,
    };
    metrics.onEvent(
      following({
        ...behind,
        ...{ events: { insert: 7, update: 4 }, obstacles: ['12 s behind'], oplogWindowMs: 3_600_000 },
        collections: [users, followed('school.gone', { endedBy: 'it was dropped' })],
      }),
    );
    const events = (kind: string) => read(metrics, 'events_total', `{kind="${kind}"}`);
    const rows = (change: string) =>
      read(metrics, 'merged_rows_total', `{collection="${source}",change="${change}"}`);
    assert.equal(await read(metrics, 'lag_seconds'), 12);
    assert.equal(await read(metrics, 'read_lag_seconds'), 3);
    assert.equal(await read(metrics, 'oldest_change_seconds'), 9);
    assert.equal(await read(metrics, 'journal_rows'), 40);
    assert.equal(await read(metrics, 'refused_changes'), 2);
    assert.equal(await read(metrics, 'oplog_window_seconds'), 3_600);
    assert.equal(await read(metrics, 'can_cut_over'), 0);
    assert.equal(await read(metrics, 'workers'), 1);
    assert.deepEqual([await events('insert'), await events('update')], [7, 4]);
    assert.deepEqual([await rows('inserted'), await rows('updated'), await rows('deleted')], [3, 5, 2]);
    const state = (collection: string, name: string) =>
      read(metrics, 'state', `{collection="${collection}",state="${name}"}`);
    assert.deepEqual([await state(source, 'following'), await state('school.gone', 'ended')], [1, 1]);

    metrics.onEvent(following({ events: { insert: 9, update: 4 }, collections: [users] }));
    assert.equal(await read(metrics, 'can_cut_over'), 1);
    assert.equal(await read(metrics, 'lag_seconds'), 0);
    assert.ok(Number.isNaN(await read(metrics, 'oplog_window_seconds')), 'the server no longer reports it');
    assert.deepEqual([await events('insert'), await events('update')], [9, 4], 'not added to what was there');

    metrics.onEvent({ kind: 'cut-over', source: 'school.*', leftOut: [] });
    assert.deepEqual([await state(source, 'following'), await state(source, 'cut-over')], [0, 1]);
    assert.deepEqual([await state('school.gone', 'ended')], [1], 'that one was not cut over');
  });

  it('show how many documents are to be compared again once all were compared, and how many differ', async () => {
    const metrics = new CollectedMetrics();
    const proof = { verifiedAt: '2026-01-31T12:00:00.000Z', compared: 100, unverified: 4, different: 1 };
    const users = followed(source, { proof });
    const others = followed('school.others', { proof: { ...proof, unverified: 3, different: 2 } });
    metrics.onEvent(following({ collections: [users, others] }));
    assert.equal(await read(metrics, 'unverified_documents'), 7);
    assert.equal(await read(metrics, 'different_documents'), 3);
    assert.equal(await read(metrics, 'stopped_collections'), 0);
    // In one collection, not all documents were compared yet: the number is unknown.
    const begun = followed('school.others', { proof: { ...proof, verifiedAt: null } });
    const stopped = [{ source: 'school.gone', reason: 'it was dropped' }];
    metrics.onEvent(following({ collections: [users, begun], stopped }));
    assert.ok(Number.isNaN(await read(metrics, 'unverified_documents')));
    assert.equal(await read(metrics, 'different_documents'), 2);
    assert.equal(await read(metrics, 'stopped_collections'), 1);
  });
});
