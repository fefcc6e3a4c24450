/** `npm run seed`: fills a collection with sample data, or changes users for a while so that there are changes to follow. */

import type { Config } from '../../config/config.ts';
import { ExitCode, UsageError } from '../../common/errors.ts';
import { formatCount } from '../../common/format.ts';
import { options } from '../../config/options.ts';
import { sampleSizes, type SampleSet } from '../../config/sample-sets.ts';
import { noUrl } from '../../config/secret-url.ts';
import { embedded } from '../../config/server-urls.ts';
import { withServers } from '../servers-in-use.ts';
import type { CommandOptions } from './command-options.ts';

/** @throws MigrationError */
export async function seed(config: Config, command: CommandOptions): Promise<ExitCode> {
  // On the trial server, the users of an earlier seed can be replaced.
  const ifExists = config.ifExists ?? (config.mongoUrl.is(embedded) ? 'drop' : 'fail');
  await withServers({ ...config, postgresUrl: noUrl }, command, async ({ mongoUrl }) => {
    const { live, seedSet: set } = config;
    if (set !== 'users') await fillSamples(set, { ...config, mongoUrl }, ifExists, command);
    else if (live === undefined) await fill({ ...config, mongoUrl }, ifExists, command);
    else await changeLive({ ...config, mongoUrl, live }, command);
  });
  return ExitCode.ok;
}

type SeedConfig = Pick<Config, 'mongoUrl' | 'mongoDb' | 'mongoCollection' | 'amountUsersSeed'>;

export async function seedIfEmpty(config: SeedConfig, command: CommandOptions): Promise<void> {
  const { mongoUrl, mongoDb: db, mongoCollection: collection } = config;
  const url = mongoUrl.reveal();
  const { isCollectionEmpty } = await import('../../source/mongo/is-collection-empty.ts');
  if (await isCollectionEmpty({ url, db, collection })) await fill(config, 'fail', command);
}

async function fill(
  { mongoUrl, mongoDb: db, mongoCollection: collection, amountUsersSeed: amount }: SeedConfig,
  ifExists: NonNullable<Config['ifExists']>,
  { progress }: CommandOptions,
): Promise<void> {
  const { seedUsers } = await import('../users/seed-users.ts');
  const target = `${db}.${collection}`;
  progress.say(`seeding ${target} with ${formatCount(amount)} users`);
  const startedMs = performance.now();
  const inserted = await seedUsers({ url: mongoUrl.reveal(), db, collection, amount, ifExists });
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  progress.say(`${target}: ${formatCount(inserted)} users inserted in ${seconds} s`);
}

/** Fills the collection with the set's name, unless another is chosen. */
async function fillSamples(
  set: SampleSet,
  config: Pick<Config, 'mongoUrl' | 'mongoDb' | 'mongoCollection' | 'seedAmount' | 'live'>,
  ifExists: NonNullable<Config['ifExists']>,
  { progress }: CommandOptions,
): Promise<void> {
  if (config.live !== undefined) {
    throw new UsageError('--live changes users, not a sample set', {
      code: 'LIVE_NOT_USERS',
      fix: 'leave out --set, or --live.',
    });
  }
  const { seedSamples } = await import('../users/seed-users.ts');
  const { mongoUrl, mongoDb: db, seedAmount: amount = sampleSizes[set] } = config;
  const isChosen = config.mongoCollection !== options.mongoCollection.default;
  const collection = isChosen ? config.mongoCollection : set;
  const target = `${db}.${collection}`;
  progress.say(`seeding ${target} with ${formatCount(amount)} documents`);
  const startedMs = performance.now();
  const inserted = await seedSamples(set, { url: mongoUrl.reveal(), db, collection, amount, ifExists });
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  progress.say(`${target}: ${formatCount(inserted)} documents inserted in ${seconds} s`);
}

async function changeLive(
  config: Pick<Config, 'mongoUrl' | 'mongoDb' | 'mongoCollection' | 'rate'> & { readonly live: number },
  { progress, signal }: CommandOptions,
): Promise<void> {
  const { changeUsers } = await import('../users/live-seed.ts');
  await changeUsers({
    ...{ url: config.mongoUrl.reveal(), db: config.mongoDb, collection: config.mongoCollection },
    ...{ seconds: config.live, rate: config.rate, signal, say: progress.say },
  });
}
