/** Looks at where the rows are to go: rights, connections, disk and the settings that a load depends on. */

import pg from 'pg';
import { TargetError } from '../../common/errors.ts';
import { formatMegabytes, formatPlural } from '../../common/format.ts';
import type { TargetFacts } from '../../postgres/connection/server-facts.ts';
import { advice, ok, problem, type Finding } from './finding.ts';

/** A round trip that a commit of a batch feels. */
const farMs = 5;
const gigabyte = 1 << 30;
/** With less, a load spends its time on checkpoints. */
const leastWalShare = 0.25;
const mostWalAdvised = 64;
/** Rows, their key and the write-ahead log of a load take up to so many times the bytes of the documents. */
const diskFactor = 2.5;

/** What the migration is going to ask of PostgreSQL. */
export interface Demand {
  /** Those that tables are to be in. */
  readonly schemas: readonly string[];
  /** Bytes of the documents, uncompressed; 0 where nobody knows. */
  readonly bytes: number;
  readonly connections: number;
  /** Free bytes of the disk that the data lies on; null where it cannot be seen from here. */
  readonly freeBytes: number | null;
}

/** In the order in which they are told. */
export function judgeTarget(facts: TargetFacts, demand: Demand): Finding[] {
  return [
    ok('target', `PostgreSQL ${facts.version}, database ${facts.database}, user ${facts.user}`),
    judgeRoundTrip(facts),
    ...judgeRights(facts, demand),
    judgeConnections(facts, demand),
    judgeDisk(demand),
    judgeWal(facts, demand),
    ok('target', `text is sorted by ${facts.collation}`),
    ...judgeSafety(facts),
  ];
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
  // One is the primary's.
  if (connectionsLeft > connections) return ok('target', text);
  return advice(
    'target',
    `${text}, and workers would take ${connections}`,
    'end sessions that nobody needs, or raise max_connections and restart PostgreSQL; with fewer, fewer workers are started.',
  );
}

function judgeDisk({ bytes, freeBytes }: Demand): Finding {
  const needed = bytes * diskFactor;
  if (bytes === 0) {
    return ok('target', 'how much disk is needed is not known: the source does not tell its size');
  }
  const need = `about ${formatMegabytes(needed)} of disk will be needed`;
  if (freeBytes === null) {
    return ok('target', `${need}; how much is free cannot be seen from here: compare it there`);
  }
  const text = `${need}, and ${formatMegabytes(freeBytes)} are free`;
  if (freeBytes >= needed) return ok('target', text);
  return advice('target', text, 'make room first; npm start -- --dry-run estimates the tables more closely.');
}

function judgeWal({ maxWalBytes }: TargetFacts, { bytes }: Demand): Finding {
  const text = `max_wal_size is ${formatMegabytes(maxWalBytes)}`;
  if (maxWalBytes >= bytes * leastWalShare) return ok('target', text);
  const gigabytes = Math.min(mostWalAdvised, Math.ceil((bytes * leastWalShare) / gigabyte));
  if (maxWalBytes >= gigabytes * gigabyte) return ok('target', text);
  return advice(
    'target',
    `${text}: a load of ${formatMegabytes(bytes)} would wait for checkpoints`,
    `for the time of the load: ALTER SYSTEM SET max_wal_size = '${gigabytes}GB'; SELECT pg_reload_conf();`,
  );
}

function judgeSafety({ isFsyncOn, synchronousStandbys }: TargetFacts): Finding[] {
  const findings: Finding[] = [];
  if (!isFsyncOn) {
    findings.push(
      advice(
        'target',
        'fsync is off: a power cut may damage the whole cluster',
        'ALTER SYSTEM SET fsync = on; SELECT pg_reload_conf();',
      ),
    );
  }
  if (synchronousStandbys !== '') {
    findings.push(ok('target', `commits wait for standbys: ${synchronousStandbys}`));
  }
  return findings;
}
