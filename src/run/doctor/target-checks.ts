/** Checks the target: privileges, connections, disk and the settings that affect a load. */

import pg from 'pg';
import { TargetError } from '../../common/errors.ts';
import { formatMegabytes, formatPlural } from '../../common/format.ts';
import type { TargetFacts } from '../../postgres/connection/server-facts.ts';
import { advice, ok, problem, type Finding } from './finding.ts';

/** A longer round trip slows the commit of a batch noticeably. */
const farMs = 5;
const gigabyte = 1 << 30;
/** With a smaller max_wal_size, a load spends its time on checkpoints. */
const minWalShare = 0.25;
const maxWalAdvised = 64;
/** Rows, their key and the write-ahead log need up to this many times the bytes of the documents. */
const diskFactor = 2.5;

/** What the migration needs from PostgreSQL. */
export interface Demand {
  /** Schemas in which tables are to be created. */
  readonly schemas: readonly string[];
  /** Uncompressed bytes of the documents; 0 if unknown. */
  readonly bytes: number;
  readonly connections: number;
  /** Free bytes of the disk with the data directory; null if unknown. */
  readonly freeBytes: number | null;
}

/** In the order in which they are reported. */
export function judgeTarget(facts: TargetFacts, demand: Demand): Finding[] {
  return [
    ok('target', `PostgreSQL ${facts.version}, database ${facts.database}, user ${facts.user}`),
    ...judgeCitus(facts),
    judgeRoundTrip(facts),
    ...judgeRights(facts, demand),
    judgeConnections(facts, demand),
    judgeDisk(demand),
    judgeWal(facts, demand),
    judgeCollation(facts),
    ...judgeSafety(facts),
  ];
}

function judgeCitus({ citus }: TargetFacts): Finding[] {
  if (citus === null) return [];
  const text = `the coordinator of Citus ${citus.version}, with ${formatPlural(citus.nodes, 'node')} for rows`;
  if (citus.nodes > 0) return [ok('target', `${text}; --distribute is possible`)];
  return [advice('target', text, "for --distribute: SELECT citus_add_node('host', 5432);")];
}

function judgeRoundTrip({ roundTripMs }: TargetFacts): Finding {
  const text = `a round trip takes ${roundTripMs.toFixed(1)} ms`;
  if (roundTripMs < farMs) return ok('target', text);
  return advice('target', text, 'run mongo2pg on a machine near PostgreSQL.');
}

function judgeRights({ database, user, schemas, mayCreateSchema }: TargetFacts, demand: Demand): Finding[] {
  const findings = demand.schemas.flatMap((name) => {
    const found = schemas.find((schema) => schema.name === name);
    if (found === undefined ? mayCreateSchema : found.mayCreateTable) return [];
    const [what, right] =
      found === undefined
        ? [`create the schema ${name}`, `CREATE ON DATABASE ${pg.escapeIdentifier(database)}`]
        : [`create tables in the schema ${name}`, `CREATE, USAGE ON SCHEMA ${pg.escapeIdentifier(name)}`];
    const missing = new TargetError(`${user} may not ${what}`, {
      code: 'POSTGRES_RIGHTS',
      fix: `GRANT ${right} TO ${pg.escapeIdentifier(user)};`,
    });
    return [problem('target', missing)];
  });
  if (findings.length > 0) return findings;
  return [ok('target', `${user} may create the tables, and the ledger in the schema mongo2pg`)];
}

function judgeConnections(
  { connectionsLeft, maxConnections }: TargetFacts,
  { connections }: Demand,
): Finding {
  const text = `${formatPlural(connectionsLeft, 'connection')} free of ${maxConnections}`;
  // One connection is for the primary.
  if (connectionsLeft > connections) return ok('target', text);
  return advice(
    'target',
    `${text}, and workers would take ${connections}`,
    `end unneeded sessions, or ALTER SYSTEM SET max_connections = ${maxConnections + connections + 1 - connectionsLeft}; and restart PostgreSQL; ` +
      'otherwise fewer workers are started.',
  );
}

function judgeDisk({ bytes, freeBytes }: Demand): Finding {
  const needed = bytes * diskFactor;
  if (bytes === 0) {
    return ok('target', 'the needed disk space is unknown: the source does not report its size');
  }
  const need = `about ${formatMegabytes(needed)} of disk will be needed`;
  if (freeBytes === null) {
    return ok('target', `${need}; free space cannot be checked from this machine: check it on the server`);
  }
  const text = `${need}, and ${formatMegabytes(freeBytes)} are free`;
  if (freeBytes >= needed) return ok('target', text);
  return advice(
    'target',
    text,
    'free disk space first; npm start -- --dry-run gives a better estimate for the tables.',
  );
}

function judgeWal({ maxWalBytes }: TargetFacts, { bytes }: Demand): Finding {
  const text = `max_wal_size is ${formatMegabytes(maxWalBytes)}`;
  if (maxWalBytes >= bytes * minWalShare) return ok('target', text);
  const gigabytes = Math.min(maxWalAdvised, Math.ceil((bytes * minWalShare) / gigabyte));
  if (maxWalBytes >= gigabytes * gigabyte) return ok('target', text);
  return advice(
    'target',
    `${text}: a load of ${formatMegabytes(bytes)} would wait for checkpoints`,
    `for the time of the load: ALTER SYSTEM SET max_wal_size = '${gigabytes}GB'; SELECT pg_reload_conf();`,
  );
}

/** By bytes, as MongoDB sorts text without a collation. */
const byteOrders = ['C', 'POSIX', 'C.UTF-8', 'C.UTF8', 'C.utf8'];

function judgeCollation({ collation, collationVersions, database }: TargetFacts): Finding {
  const text = `text is sorted by ${collation}`;
  if (collationVersions !== null && collationVersions.made !== collationVersions.now) {
    const name = pg.escapeIdentifier(database);
    return advice(
      'target',
      `${text}, whose rules have changed from version ${collationVersions.made} to ${collationVersions.now}: indexes of text may be wrong`,
      `REINDEX DATABASE ${name}; ALTER DATABASE ${name} REFRESH COLLATION VERSION;`,
    );
  }
  if (byteOrders.includes(collation)) return ok('target', text);
  return ok('target', `${text}; ORDER BY a COLLATE "C" sorts by bytes, as MongoDB does`);
}

function judgeSafety({ isFsyncOn, synchronousStandbys }: TargetFacts): Finding[] {
  const findings: Finding[] = [];
  if (!isFsyncOn) {
    findings.push(
      advice(
        'target',
        'fsync is off: a power failure may corrupt the whole cluster',
        'ALTER SYSTEM SET fsync = on; SELECT pg_reload_conf();',
      ),
    );
  }
  if (synchronousStandbys !== '') {
    findings.push(ok('target', `commits wait for standbys: ${synchronousStandbys}`));
  }
  return findings;
}
