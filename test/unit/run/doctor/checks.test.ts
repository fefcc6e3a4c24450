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

/** Those that require an action. */
function judge(
  changed: Partial<TargetFacts>,
  asked: Partial<Demand> = {},
): Pick<Finding, 'state' | 'text' | 'fix'>[] {
  const findings = judgeTarget({ ...facts, ...changed }, { ...demand, ...asked });
  return findings.filter(({ state }) => state !== 'ok').map(({ state, text, fix }) => ({ state, text, fix }));
}

describe('checks of PostgreSQL', () => {
  it('report nothing for a well configured server', () => {
    assert.deepEqual(judge({}), []);
  });

  it('name the statement that grants a missing privilege', () => {
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

  it('need no privilege to create existing schemas', () => {
    const schemas = demand.schemas.map((name) => ({ name, mayCreateTable: true }));
    assert.deepEqual(judge({ mayCreateSchema: false, schemas }), []);
  });

  it('compare the free connections with the workers and the primary', () => {
    assert.deepEqual(judge({ connectionsLeft: 7 }), []);
    const [finding] = judge({ connectionsLeft: 6 });
    assert.equal(finding?.text, '6 connections free of 100, and workers would take 6');
    assert.match(finding.fix, /ALTER SYSTEM SET max_connections = 101; and restart PostgreSQL/);
  });

  it('name the statements for indexes with an outdated collation version', () => {
    assert.deepEqual(judge({ collationVersions: null }), []);
    const [finding] = judge({ collationVersions: { made: '2.31', now: '2.36' } });
    assert.match(finding?.text ?? '', /en_US\.UTF-8, whose rules have changed from version 2\.31 to 2\.36/);
    assert.equal(finding?.fix, 'REINDEX DATABASE "shop"; ALTER DATABASE "shop" REFRESH COLLATION VERSION;');
  });

  it('name the nodes of Citus, and how to add one if there is none', () => {
    const citus = { version: '12.1-1', isCoordinator: true, nodes: 2 };
    const [, found] = judgeTarget({ ...facts, citus }, demand);
    assert.match(found?.text ?? '', /Citus 12\.1-1, with 2 nodes for rows; --distribute is possible/);
    const [finding] = judge({ citus: { ...citus, nodes: 0 } });
    assert.equal(finding?.fix, "for --distribute: SELECT citus_add_node('host', 5432);");
  });

  it('say how to sort text as MongoDB does, if the database sorts it otherwise', () => {
    const texts = (collation: string): string[] =>
      judgeTarget({ ...facts, collation }, demand).map(({ text }) => text);
    assert.ok(
      texts('de-x-icu').includes(
        'text is sorted by de-x-icu; ORDER BY a COLLATE "C" sorts by bytes, as MongoDB does',
      ),
    );
    assert.ok(texts('C').includes('text is sorted by C'));
  });

  it('suggest a max_wal_size by the size of the source, within bounds', () => {
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

  it('compare the free disk space with the requirement, if it is known', () => {
    const [finding] = judge({}, { freeBytes: gigabyte });
    assert.equal(finding?.text, 'about 2,684 MB of disk will be needed, and 1,074 MB are free');
    assert.deepEqual(judge({}, { freeBytes: null }), []);
  });

  it('warn of settings that lose data, and of a long round trip', () => {
    const texts = judge({ isFsyncOn: false, roundTripMs: 20 }).map(({ text }) => text);
    assert.deepEqual(texts, [
      'a round trip takes 20.0 ms',
      'fsync is off: a power failure may corrupt the whole cluster',
    ]);
  });
});

describe('checks of MongoDB', () => {
  it('name product, topology and round trip', () => {
    const server = { product: 'MongoDB 7.0.5', hostCount: 3, roundTripMs: 12, history: null } as const;
    const [what, trip] = judgeServer({ ...server, topology: 'replica set' });
    assert.equal(what?.text, 'MongoDB 7.0.5, a replica set with 3 members');
    assert.equal(trip?.state, 'advice');
  });

  it('warn of a full oplog that is shorter than a day', () => {
    const full = { bytes: 990_000_000, maxBytes: 1_000_000_000 };
    assert.equal(judgeHistory(2 * hourMs, full).state, 'advice');
    assert.equal(judgeHistory(25 * hourMs, full).state, 'ok');
    assert.equal(judgeHistory(2 * hourMs, null).state, 'advice');
  });

  it('do not warn of a new oplog', () => {
    const begun = { bytes: 5_000_000, maxBytes: 1_000_000_000 };
    assert.deepEqual(judgeHistory(hourMs / 2, begun), {
      side: 'source',
      state: 'ok',
      text: 'the oplog reaches back 30 min 0 s, 5.0 MB of 1,000 MB',
      fix: '',
    });
  });

  it('name the privilege to read the oplog', () => {
    assert.match(judgeHistory('forbidden', null).fix, /role: "read", db: "local"/);
  });

  it('name no privilege if there is no oplog', () => {
    assert.equal(judgeHistory('absent', null, 'replica set').state, 'ok');
    const { state, fix } = judgeHistory('absent', null, 'sharded cluster');
    assert.equal(state, 'advice');
    assert.match(fix, /on each shard: rs\.printReplicationInfo\(\)/);
  });
});
