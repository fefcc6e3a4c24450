/** `npm run plan`: infers a plan, writes it to a file that the user can edit, and shows the table and the risks. */

import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { dirname, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Config } from '../../config/config.ts';
import { embedded } from '../../config/server-urls.ts';
import { ExitCode, UsageError } from '../../common/errors.ts';
import { chooseTransform } from '../../plan/choose-transform.ts';
import { inferPlan } from '../../plan/infer-plan.ts';
import { chooseTable } from '../../plan/plan-table.ts';
import { formatPlanFile, writePlanFile } from '../../plan/file/plan-text.ts';
import { findRisks } from '../../plan/infer/risks.ts';
import {
  addChildKeyStatements,
  addPrimaryKeyStatement,
  createTableStatement,
  tablesOf,
} from '../../postgres/table/ddl.ts';
import { listDescendants } from '../../transcode/plan.ts';
import { openSource } from '../../run/connections.ts';
import type { Source } from '../../source/source.ts';
import { noUrl } from '../../config/secret-url.ts';
import { withServers } from '../servers-in-use.ts';
import type { CommandOptions } from './command-options.ts';
import { seedIfEmpty } from './seed.ts';
import type { Output } from '../output.ts';
import { invoke } from '../../config/invocation.ts';

/** @throws MigrationError */
export async function plan(config: Config, options: CommandOptions): Promise<ExitCode> {
  const { out, force } = config;
  await chooseTransform(config, null);
  // Before a server is started in vain. It is checked again when the file is written.
  if (out !== undefined && !force && existsSync(out)) throw refuseToOverwrite(out);
  await withServers({ ...config, postgresUrl: noUrl }, options, async ({ mongoUrl }) => {
    if (config.mongoUrl.is(embedded)) await seedIfEmpty({ ...config, mongoUrl }, options);
    const audience = { onEvent: options.progress.onEvent, signal: options.signal };
    const database = await openSource({ ...config, mongoUrl }, audience);
    try {
      await planCollection(await database.open(config.mongoCollection, config.filter), config, options);
    } finally {
      await database.close();
    }
  });
  return ExitCode.ok;
}

async function planCollection(
  source: Source,
  config: Config,
  { output, progress, signal }: CommandOptions,
): Promise<void> {
  const table = chooseTable(config.postgresSchema, config.mongoCollection, null);
  const transform = await chooseTransform(config, null);
  const made = await inferPlan(source, table, config, true, transform);
  const total = await source.estimateCount();
  signal.throwIfAborted();
  const file = writePlanFile(made, {
    objectId: config.objectId,
    schemaReference: referToSchema(config.out),
    folder: config.out === undefined ? resolve() : dirname(config.out),
    total,
  });
  const risks = findRisks(made);
  progress.close();
  const describeRisks =
    risks.length === 0 ? 'no risks found' : `risks:\n${risks.map((risk) => `- ${risk}\n`).join('')}`;
  output.say(
    [
      `${source.name}: a plan from ${file.sampled ?? ''}`,
      '',
      ...tablesOf(made.plan).map((table) => `${createTableStatement(table)};`),
      `${addPrimaryKeyStatement(made.plan)};`,
      ...listDescendants(made.plan).flatMap((child) => addChildKeyStatements(child).map((sql) => `${sql};`)),
      '',
      describeRisks,
    ].join('\n'),
  );
  await write(formatPlanFile(file), config, output);
}

async function write(
  text: string,
  { out, force }: Pick<Config, 'out' | 'force'>,
  output: Output,
): Promise<void> {
  if (out === undefined) {
    output.print(text);
    const loss = await output.findLoss();
    if (loss === null) return;
    // A truncated plan could be mistaken for a whole one.
    throw new UsageError(`the plan could not be written to standard output (${loss})`, {
      code: 'PLAN_NOT_WRITTEN',
      fix: 'choose a file with --out.',
    });
  }
  try {
    await writeFile(out, text, { flag: force ? 'w' : 'wx' });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') throw refuseToOverwrite(out);
    throw new UsageError(`${out} cannot be written (${code ?? String(error)})`, {
      code: 'PLAN_NOT_WRITTEN',
      fix: 'choose another --out.',
      cause: error,
    });
  }
  const shown = relative('', out);
  output.say(`wrote ${shown}; read it, change it, and use it: ${invoke('start', `--plan ${shown}`)}`);
}

function refuseToOverwrite(path: string): UsageError {
  return new UsageError(`${path} already exists`, {
    code: 'FILE_EXISTS',
    fix: 'choose another --out, or overwrite it with --force.',
  });
}

/** The path to the JSON schema, relative to the plan, for editors. */
function referToSchema(outPath: string | undefined): string {
  const schema = fileURLToPath(new URL('../../../../docs/plan.schema.json', import.meta.url));
  const folder = outPath === undefined ? resolve() : dirname(outPath);
  const reference = relative(folder, schema).replaceAll('\\', '/');
  return reference.startsWith('.') ? reference : `./${reference}`;
}
