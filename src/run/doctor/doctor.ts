/** Checks both sides before a migration, without changing anything, and reports problems and advice. */

import { statfs } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import { MigrationError } from '../../common/errors.ts';
import { formatMegabytes, formatPlural } from '../../common/format.ts';
import { targetOptions, type Config, type TargetConfig } from '../../config/config.ts';
import { describePostgres } from '../../postgres/connection/connection.ts';
import { requireServer } from '../../postgres/connection/server-check.ts';
import { readTargetFacts, type TargetFacts } from '../../postgres/connection/server-facts.ts';
import { withSession } from '../../postgres/connection/session.ts';
import { openDatabase, type SourceConfig as ReachConfig } from '../../source/open-database.ts';
import { requireNode } from '../connections.ts';
import { countConnections, type SizeConfig } from '../workforce.ts';
import { ok, problem, type OnFinding } from './finding.ts';
import { checkSource, type SourceConfig } from './source-checks.ts';
import { judgeTarget } from './target-checks.ts';

export type DoctorConfig = ReachConfig &
  SourceConfig &
  TargetConfig &
  SizeConfig &
  Pick<Config, 'postgresSchema' | 'citusNodeUrl'>;

/** The schema of the ledger. */
const ledgerSchema = 'mongo2pg';

/** A server that cannot be reached is a finding too. @throws only errors other than MigrationError */
export async function examine(
  config: DoctorConfig,
  onFinding: OnFinding,
  signal: AbortSignal,
): Promise<void> {
  onFinding(
    ok(
      'this machine',
      `Node ${process.versions.node}, ${formatPlural(availableParallelism(), 'core')}, ${formatMegabytes(totalmem())} of memory`,
    ),
  );
  const bytes = await examineSource(config, onFinding, signal);
  signal.throwIfAborted();
  await examineTarget(config, bytes, onFinding, signal);
}

async function examineSource(
  config: DoctorConfig,
  onFinding: OnFinding,
  signal: AbortSignal,
): Promise<number> {
  try {
    const onNotice = (message: string): void => {
      onFinding(ok('source', message));
    };
    const database = await openDatabase(config, { onNotice, signal });
    try {
      return await checkSource(database, config, onFinding);
    } finally {
      await database.close();
    }
  } catch (error) {
    if (!(error instanceof MigrationError)) throw error;
    onFinding(problem('source', error));
    return 0;
  }
}

async function examineTarget(
  config: DoctorConfig,
  bytes: number,
  onFinding: OnFinding,
  signal: AbortSignal,
): Promise<void> {
  const schemas = [config.postgresSchema, ledgerSchema];
  const options = { ...targetOptions(config), applicationName: 'mongo2pg doctor', signal };
  try {
    await withSession(options, async (session) => {
      const facts = await session.run(async (client) => {
        await requireServer(client);
        return await readTargetFacts(client, schemas);
      });
      const demand = {
        schemas,
        bytes,
        connections: countConnections(config),
        freeBytes: await readFreeBytes(facts),
      };
      for (const finding of judgeTarget(facts, demand)) onFinding(finding);
      if (config.citusNodeUrl === undefined) return;
      await requireNode(config, session, signal);
      onFinding(ok('target', `rows can be loaded through the node ${describePostgres(config.citusNodeUrl)}`));
    });
  } catch (error) {
    if (!(error instanceof MigrationError)) throw error;
    onFinding(problem('target', error));
  }
}

/** @returns null if the data is not on this machine, or this user may not see it */
async function readFreeBytes({ dataDirectory, isLocal }: TargetFacts): Promise<number | null> {
  if (dataDirectory === null || !isLocal) return null;
  try {
    const { bavail, bsize } = await statfs(dataDirectory);
    return bavail * bsize;
  } catch {
    return null;
  }
}
