import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { WorkerMeasurement } from '../../../../src/observe/measurement.ts';
import { writePage } from '../../../../src/observe/report/page.ts';
import type {
  FollowSection,
  Report,
  Section,
  Series,
  WorkerSeries,
} from '../../../../src/observe/report/report.ts';
import { followed, following } from '../../../support/following-event.ts';

const noSeries: Series = {
  intervalMs: 50,
  documents: [0],
  bytes: [0],
  inFlightBatches: [0],
  inFlightBytes: [0],
  primaryRssBytes: [80e6],
  workers: [],
};

/** A collection whose copy has hardly begun. */
function sectionOf(changes: Partial<Section> = {}): Section {
  return {
    source: 'school.users',
    target: null,
    documents: 0,
    committedBefore: 0,
    bytes: 0,
    expectedDocuments: 0,
    summary: null,
    failure: null,
    planEndMs: undefined,
    loadEndMs: undefined,
    endMs: 0,
    measurement: {
      implementation: 'cluster',
      loadMs: 0,
      readMs: 0,
      heldMs: 0,
      roomMs: 0,
      drainMs: 0,
      processorShare: null,
      workers: [],
    },
    primaryPeakRssBytes: 80e6,
    series: noSeries,
    ...changes,
  };
}

function pageOf(sections: readonly Section[], changes: Partial<Report> = {}): string {
  return writePage({
    writtenAt: new Date(0),
    failure: null,
    notices: [],
    sections,
    following: null,
    ...changes,
  });
}

function workers(count: number): Pick<Section, 'series' | 'measurement'> {
  const series = Array.from({ length: count }, (_, index): WorkerSeries => {
    return {
      id: String(index),
      readyMs: 0,
      goneMs: 100,
      transcodeMs: [10, 5],
      loadMs: [20, 45],
      memoryBytes: [null, 90e6],
    };
  });
  const times = {
    readyMs: 100,
    transcodeMs: 15,
    loadMs: 65,
    claimMs: 5,
    copyMs: 50,
    commitMs: 10,
    idleMs: 20,
  };
  const measured = Array.from({ length: count }, (_, index): WorkerMeasurement => {
    return { id: String(index), batches: 10, ...times, handOverMs: 5, ipcMs: 1, peakMemoryBytes: 90e6 };
  });
  return {
    series: { ...noSeries, documents: [100, 200], bytes: [1000, 2000], workers: series },
    measurement: { ...sectionOf().measurement, loadMs: 100, workers: measured },
  };
}

function followSection(changes: Partial<FollowSection> = {}): FollowSection {
  const series = {
    intervalMs: 1_000,
    changes: [0, 300, 40],
    lagMs: [0, 9_000, 2_000],
    journalRows: [0, 80, 7],
  };
  return { latest: following(), isCutOver: false, endMs: 2_500, series, ...changes };
}

/** Numbers that were computed as NaN or similar. */
function assertAllNumbers(page: string): void {
  assert.doesNotMatch(
    page.replace(/<style>[^]*?<\/style>|<script>[^]*?<\/script>/g, ''),
    /NaN|Infinity|undefined|null%/,
  );
}

describe('writePage', () => {
  it('has numbers everywhere, also with little data', () => {
    assertAllNumbers(pageOf([sectionOf()]));
    assertAllNumbers(pageOf([]));
    assertAllNumbers(pageOf([sectionOf({ ...workers(2), endMs: 100, planEndMs: 0, loadEndMs: 100 })]));
  });

  it('says what failed, and where the whole job stopped', () => {
    const page = pageOf([sectionOf({ failure: 'disk <full>' }), sectionOf()], {
      failure: 'stopped by SIGINT',
    });
    assert.match(page, /class="state bad">stopped</);
    assert.match(page, /class="failure">\s*stopped by SIGINT/);
    assert.match(page, /class="failure">\s*disk &lt;full&gt;/);
    assert.equal(page.match(/not complete/g)?.length, 2);
    assert.match(pageOf([sectionOf({ failure: 'disk full' })]), /class="state bad">1 failed</);
  });

  it('draws a limited number of lanes, with a notice, and has all workers in its table', () => {
    const page = pageOf([sectionOf({ ...workers(60), endMs: 100, planEndMs: 0 })]);
    assert.equal(page.match(/<rect\s+class="idle"[^>]*height="18"/g)?.length, 48);
    assert.match(page, /busy 80%–80%; 12 more are not drawn/);
    assert.match(page, /<td>60<\/td>\s*<td>59<\/td>\s*<td>80%<\/td>/);
  });

  it('lets the browser run its own script and load nothing', () => {
    const policy = /Content-Security-Policy" content="([^"]*)"/.exec(pageOf([]))?.[1] ?? '';
    assert.match(policy, /^default-src &#39;none&#39;; img-src data:; .*script-src &#39;sha256-[^;]*&#39;;/);
  });

  it('refers to nothing outside', () => {
    const page = pageOf([sectionOf({ ...workers(2), endMs: 100, planEndMs: 0, loadEndMs: 100 })]);
    assert.doesNotMatch(page, /https?:|\/\/[a-z]|@import|url\(/);
    const references = [...page.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, url]) => url);
    assert.deepEqual(references, ['data:,']);
  });

  it('shows the bottleneck and where the workers spent their time', () => {
    const page = pageOf([sectionOf({ ...workers(2), endMs: 100, planEndMs: 0, loadEndMs: 100 })]);
    assert.match(page, /Postgres was the bottleneck 65% of the workers&#39; time/);
    assert.match(
      page,
      /Workers: transcoding 15%, ledger 5%, COPY 50%, COMMIT 10%, batch in transit 5%, no batch 15%/,
    );
  });

  it('shows following: lag, changes, journal, and the counts of each collection', () => {
    const latest = following({
      ...{
        lagMs: 2_000,
        waiting: 7,
        documentsMerged: 340,
        deadLettered: 3,
        events: { insert: 1, update: 900 },
      },
      obstacles: ['followed no more: <b>gone</b>'],
      collections: [
        followed('school.users', { inserted: 1_200, updated: 30, deleted: 4, waiting: 7 }),
        followed('<b>gone</b>', { endedBy: 'it was dropped' }),
      ],
    });
    const page = pageOf([sectionOf()], { following: followSection({ latest }) });
    assertAllNumbers(page);
    const [own = ''] = /<section class="following"[^]*?<\/section>/.exec(page) ?? [];
    const titles = [...own.matchAll(/<b>([^<]*)<\/b>/g)].map(([, title]) => title);
    assert.deepEqual(titles, ['Lag', 'Changes a second', 'Journal']);
    assert.match(own, /data-interval="1000" data-end="2500"/);
    assert.match(own, /class="state bad">one could not cut over</);
    assert.match(own, /Dead letters<\/dt>\s*<dd>\s*3 /);
    assert.match(own, /2.0 s <small>at most 9.0 s/);
    assert.match(
      own,
      /<td>school\.users<\/td>[^]*?<td>1,200<\/td>\s*<td>30<\/td>\s*<td>4<\/td>\s*<td>7<\/td>\s*<td>to the end</,
    );
    assert.match(own, /<td>no more: it was dropped<\/td>/);
    assert.match(own, /1 insert · 900 updates/);
    assert.doesNotMatch(own, /<b>gone/);
    const cutOver = pageOf([], { following: followSection({ isCutOver: true }) });
    assert.match(cutOver, /class="state good">cut over</);
    assertAllNumbers(cutOver);
    assertAllNumbers(pageOf([], { following: followSection({ endMs: 0 }) }));
  });
});
