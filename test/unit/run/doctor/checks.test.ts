import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TargetFacts } from '../../../../src/postgres/connection/server-facts.ts';
import { judgeHistory, judgeServer } from '../../../../src/run/doctor/source-checks.ts';
import { judgeTarget, type Demand } from '../../../../src/run/doctor/target-checks.ts';
import type { Finding } from '../../../../src/run/doctor/finding.ts';

const gigabyte = 1 << 30;
const hourMs = 3_600_000;

const facts: TargetFacts = {
  version: '18.4',
  roundTripMs: 0.3,
  database: 'shop',
  user: 'ann',
  collation: 'en_US.UTF-8',
  collationVersions: { made: '2.36', now: '2.36' },
  citus: null,
  mayCreateSchema: true,
  schemas: [{ name: 'public', mayCreateTable: true }],
  connectionsLeft: 90,
  maxConnections: 100,
  maxWalBytes: gigabyte,
  isFsyncOn: true,
  synchronousStandbys: '',
  dataDirectory: null,
  isLocal: false,
};
const demand: Demand = {
  schemas: ['public', 'mongo2pg'],
  bytes: gigabyte,
  connections: 6,
  freeBytes: 10 * gigabyte,
};

/** Those that ask for something. */
function judge(
  changed: Partial<TargetFacts>,
  asked: Partial<Demand> = {},
): Pick<Finding, 'state' | 'text' | 'fix'>[] {
  const findings = judgeTarget({ ...facts, ...changed }, { ...demand, ...asked });
  return findings.filter(({ state }) => state !== 'ok').map(({ state, text, fix }) => ({ state, text, fix }));
}

describe('what doctor says of PostgreSQL', () => {
  it('has nothing to say of a server that is as it should be', () => {
    assert.deepEqual(judge({}), []);
  });

  it('names the statement that grants a missing right', () => {
    assert.deepEqual(judge({ schemas: [{ name: 'public', mayCreateTable: false }] }), [
      {
        state: 'problem',
        text: 'ann may not create tables in the schema public',
        fix: 'GRANT CREATE, USAGE ON SCHEMA "public" TO "ann";',
      },
    ]);
    assert.deepEqual(judge({ mayCreateSchema: false, user: 'a"b' }), [
      {
        state: 'problem',
        text: 'a"b may not create the schema mongo2pg',
        fix: 'GRANT CREATE ON DATABASE "shop" TO "a""b";',
      },
    ]);
  });

  it('needs no right to create schemas that are there', () => {
    const schemas = demand.schemas.map((name) => ({ name, mayCreateTable: true }));
    assert.deepEqual(judge({ mayCreateSchema: false, schemas }), []);
  });

  it('counts the connections against the workers and the primary', () => {
    assert.deepEqual(judge({ connectionsLeft: 7 }), []);
    const [finding] = judge({ connectionsLeft: 6 });
    assert.equal(finding?.text, '6 connections free of 100, and workers would take 6');
    assert.match(finding.fix, /ALTER SYSTEM SET max_connections = 101; and restart PostgreSQL/);
  });

  it('names the statements for indexes of text that other rules were made for', () => {
    assert.deepEqual(judge({ collationVersions: null }), []);
    const [finding] = judge({ collationVersions: { made: '2.31', now: '2.36' } });
    assert.match(finding?.text ?? '', /en_US\.UTF-8, whose rules have changed from version 2\.31 to 2\.36/);
    assert.equal(finding?.fix, 'REINDEX DATABASE "shop"; ALTER DATABASE "shop" REFRESH COLLATION VERSION;');
  });

  it('names the nodes of Citus, and how to add one where there is none', () => {
    const citus = { version: '12.1-1', isCoordinator: true, nodes: 2 };
    const [, found] = judgeTarget({ ...facts, citus }, demand);
    assert.match(found?.text ?? '', /Citus 12\.1-1, with 2 nodes for rows; --distribute is possible/);
    const [finding] = judge({ citus: { ...citus, nodes: 0 } });
    assert.equal(finding?.fix, "for --distribute: SELECT citus_add_node('host', 5432);");
  });

  it('says how text is sorted as in MongoDB, where the database sorts it otherwise', () => {
    const texts = (collation: string): string[] =>
      judgeTarget({ ...facts, collation }, demand).map(({ text }) => text);
    assert.ok(
      texts('de-x-icu').includes(
        'text is sorted by de-x-icu; ORDER BY a COLLATE "C" sorts by bytes, as MongoDB does',
      ),
    );
    assert.ok(texts('C').includes('text is sorted by C'));
  });

  it('asks for a max_wal_size by the size of the source, within bounds', () => {
    assert.deepEqual(judge({}, { bytes: 4 * gigabyte, freeBytes: null }), []);
    const fixes = [40 * gigabyte, 10_000 * gigabyte].map(
      (bytes) => judge({}, { bytes, freeBytes: null })[0]?.fix.match(/'(\d+GB)'/)?.[1],
    );
    assert.deepEqual(fixes, ['10GB', '64GB']);
    assert.deepEqual(
      judge({ maxWalBytes: 64 * gigabyte }, { bytes: 10_000 * gigabyte, freeBytes: null }),
      [],
    );
  });

  it('compares the disk with what will be needed, where it can be seen', () => {
    const [finding] = judge({}, { freeBytes: gigabyte });
    assert.equal(finding?.text, 'about 2,684 MB of disk will be needed, and 1,074 MB are free');
    assert.deepEqual(judge({}, { freeBytes: null }), []);
  });

  it('warns of settings that lose data, and of a long way', () => {
    const texts = judge({ isFsyncOn: false, roundTripMs: 20 }).map(({ text }) => text);
    assert.deepEqual(texts, [
      'a round trip takes 20.0 ms',
      'fsync is off: a power failure may corrupt the whole cluster',
    ]);
  });
});

describe('what doctor says of MongoDB', () => {
  it('names product, topology and the way there', () => {
    const server = { product: 'MongoDB 7.0.5', hostCount: 3, roundTripMs: 12, history: null } as const;
    const [what, trip] = judgeServer({ ...server, topology: 'replica set' });
    assert.equal(what?.text, 'MongoDB 7.0.5, a replica set with 3 members');
    assert.equal(trip?.state, 'advice');
  });

  it('warns of a full oplog that is shorter than a day', () => {
    const full = { bytes: 990_000_000, maxBytes: 1_000_000_000 };
    assert.equal(judgeHistory(2 * hourMs, full).state, 'advice');
    assert.equal(judgeHistory(25 * hourMs, full).state, 'ok');
    assert.equal(judgeHistory(2 * hourMs, null).state, 'advice');
  });

  it('says nothing against an oplog that has only begun', () => {
    const begun = { bytes: 5_000_000, maxBytes: 1_000_000_000 };
    assert.deepEqual(judgeHistory(hourMs / 2, begun), {
      side: 'source',
      state: 'ok',
      text: 'the oplog reaches back 30 min 0 s, 5.0 MB of 1,000 MB',
      fix: '',
    });
  });

  it('says which right shows the oplog', () => {
    assert.match(judgeHistory('forbidden', null).fix, /role: "read", db: "local"/);
  });

  it('names no right where there is no oplog to read', () => {
    assert.equal(judgeHistory('absent', null, 'replica set').state, 'ok');
    const { state, fix } = judgeHistory('absent', null, 'sharded cluster');
    assert.equal(state, 'advice');
    assert.match(fix, /on each shard: rs\.printReplicationInfo\(\)/);
  });
});
