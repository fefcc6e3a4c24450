/** `npm run cutover`: ends following once writes have stopped, or says why one cannot. */

import { ExitCode } from '../../common/errors.ts';
import type { Config } from '../../config/config.ts';
import { targetOptions } from '../../config/config.ts';
import { Listeners, type JobListener } from '../../observe/listeners.ts';
import { finishTable } from '../../postgres/table/finish-table.ts';
import { findRunById } from '../../postgres/ledger/runs.ts';
import { checkCutover, cutOver, type CutoverOptions } from '../../run/follow/cutover.ts';
import { verifyWith, withBothSides } from '../../run/verify/verify.ts';
import { describeVerification } from '../text/verification.ts';
import { type CommandOptions, withServers } from './start.ts';

/** @throws MigrationError */
export async function cutover(config: Config, options: CommandOptions): Promise<ExitCode> {
  return await withServers(config, options, (urls) => cutOverWith({ ...config, ...urls }, options));
}

async function cutOverWith(config: Config, options: CommandOptions): Promise<ExitCode> {
  const { signal, progress } = options;
  const printer: JobListener = {
    onEvent: (event) => {
      if (event.kind === 'verified' && !config.json) {
        options.output.print(`\n${describeVerification(event)}\n`);
      }
    },
  };
  const { onEvent } = new Listeners([...options.listeners, printer]);
  const audience = { onEvent, signal };
  return await withBothSides(config, audience, async ({ session, database }) => {
    const how: CutoverOptions = {
      ...{ config, session, database, signal, say: progress.say },
      verify: () => verifyWith(config, { ...audience, session, database, leftOut: undefined }),
      finishTables: async (runIds) => {
        if (config.indexes !== 'carry') return;
        for (const runId of runIds) {
          const run = await session.run((client) => findRunById(client, runId));
          if (run === null) continue;
          const { source } = run.settings;
          const collection = source.slice(source.indexOf('.') + 1);
          const opened = await database.open(collection, undefined, await database.changes?.readTime());
          const specs = (await opened.hints?.listIndexes()) ?? [];
          await finishTable(session, run, specs, {
            ...targetOptions(config),
            ...{ signal, jobs: config.indexJobs },
            onIndex: (account) => {
              if (account.outcome === 'built') onEvent({ kind: 'index', source, ...account });
            },
          });
        }
      },
    };
    const name = `${database.name}.${config.mongoCollection}`;
    if (config.check) {
      const outcome = await checkCutover(how);
      progress.say(outcome === 'before' ? `${name} was cut over before` : `${name} can be cut over`);
      return ExitCode.ok;
    }
    if ((await cutOver(how)) === 'before') progress.say(`${name} was cut over before`);
    else onEvent({ kind: 'cut-over', source: name });
    return ExitCode.ok;
  });
}
