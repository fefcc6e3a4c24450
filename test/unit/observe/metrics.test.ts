import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import type { ProgressEvent } from '../../../src/observe/events.ts';
import { CollectedMetrics } from '../../../src/observe/metrics.ts';

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
  it('are named as Prometheus would have it, and are all in the docs', async () => {
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

  it('tell of totals as they are, also when a crash of Postgres took some back', async () => {
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

  it('count what is compared beside what was loaded', async () => {
    const metrics = new CollectedMetrics();
    metrics.onEvent(progress({ documents: 100 }));
    const verifying = { table: 'users', run: 'run 1', expectedDocuments: 100, workers: 2 };
    metrics.onEvent({ kind: 'verifying', source, ...verifying });
    metrics.onEvent(progress({ documents: 7 }));
    const labels = `{collection="${source}"}`;
    assert.equal(await read(metrics, 'documents_total', labels), 100);
    assert.equal(await read(metrics, 'compared_documents_total', labels), 7);
  });

  it('count retries by server, and tell of what has failed', async () => {
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
});
