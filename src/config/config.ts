/** Turns flags, environment and `.env` into one frozen, validated Config, or refuses with one clear line. */

import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { UsageError } from '../common/errors.ts';
import { checkOption, readVariable, type Environment, type Given } from './option-value.ts';
import {
  flagOf,
  optionNames,
  options,
  type CommandName,
  type OptionName,
  type clusterImplementations,
  type ifExistsChoices,
  type indexChoices,
} from './options.ts';
import { SecretUrl } from './secret-url.ts';
import { checkMongoUrl, checkPostgresUrl, databaseOf, embedded } from './server-urls.ts';
import { namesSeveral } from './collection-choice.ts';
import { collectionOfDump } from './dump-file-name.ts';
import { compileFilter } from '../bson/match/document-filter.ts';
import { parseFilter } from '../bson/filter.ts';
import type { JsonStyle } from '../bson/json/json-style.ts';
import type { Layout, ObjectIdStyle } from './plan-choices.ts';
import type { NulPolicy } from '../bson/nul-policy.ts';

export type IfExists = (typeof ifExistsChoices)[number];
export type ClusterImplementation = (typeof clusterImplementations)[number];

export interface Config {
  /** Absolute path of the dump that is read; undefined when a server is. */
  readonly dumpPath: string | undefined;
  /** A MongoDB URL, or `embedded`; empty when a dump is read. */
  readonly mongoUrl: SecretUrl;
  /** Empty when the dump is to tell it. */
  readonly mongoDb: string;
  /** A name, or names and patterns of several separated by commas. */
  readonly mongoCollection: string;
  readonly excludeCollections: string;
  /** A PostgreSQL URL, or `embedded`. */
  readonly postgresUrl: SecretUrl;
  readonly postgresSchema: string;
  /** Undefined when not set: the command's own default then holds. */
  readonly ifExists: IfExists | undefined;
  readonly isRestart: boolean;
  readonly clusterImplementation: ClusterImplementation;
  readonly clusterSizeMultiplier: number;
  readonly clusterSize: number | undefined;
  readonly itemsPerPage: number;
  /** How many readers there are at most. */
  readonly readRanges: number;
  readonly maxInFlightBytes: number;
  /** Undefined: no metrics. */
  readonly metricsPort: number | undefined;
  readonly metricsHost: string;
  readonly isDryRun: boolean;
  readonly isWatching: boolean;
  /** Of `status`: runs that were replaced as well. */
  readonly showsAll: boolean;
  readonly isVerified: boolean;
  /** Changes are followed until the cut-over. */
  readonly isFollowed: boolean;
  /** Above 0, up to 1. */
  readonly sampleShare: number;
  /** Undefined: no limit. */
  readonly maxDeadLetters: number | undefined;
  readonly retryLimitMs: number;
  readonly answerTimeoutMs: number;
  readonly workerTimeoutMs: number;
  readonly sampleSize: number;
  /** A MongoDB query; undefined when all documents are read. */
  readonly filter: Uint8Array | undefined;
  /** Absolute path of the plan file; undefined when the plan is inferred. */
  readonly planPath: string | undefined;
  readonly layout: Layout;
  readonly objectId: ObjectIdStyle;
  readonly isRequiredNotNull: boolean;
  readonly jsonStyle: JsonStyle;
  readonly nul: NulPolicy;
  /** Absolute path of the plan to write; undefined for standard output. */
  readonly outPath: string | undefined;
  readonly isOverwriteAllowed: boolean;
  readonly indexes: (typeof indexChoices)[number];
  readonly indexJobs: number;
  /** Absolute path of the report to write; undefined for none. */
  readonly reportPath: string | undefined;
  readonly amountUsers: number | undefined;
  readonly amountUsersSeed: number;
  /** How long `seed` changes users; undefined where it fills the collection. */
  readonly liveSeconds: number | undefined;
  /** Changes a second. */
  readonly liveRate: number;
  /** Absolute path. */
  readonly dataDir: string;
  readonly json: boolean;
}

/** Flags as given on the command line, by option name; undefined where not given. */
export type Flags = Partial<Record<OptionName, string | boolean | undefined>>;

/** Adds `.env` of the current folder to the environment; what is already set there wins, `SOURCE` over `MONGO_URL` as well. @throws UsageError */
export function loadDotEnv(): void {
  if (!existsSync('.env')) return;
  const places = [options.source.env, options.mongoUrl.env];
  const said = places.filter((name) => (process.env[name] ?? '') !== '');
  try {
    process.loadEnvFile('.env');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UsageError(`${resolve('.env')} cannot be read (${code ?? String(error)})`, {
      code: 'ENV_FILE_UNREADABLE',
      fix: 'correct it, or start in another folder.',
      cause: error,
    });
  }
  if (said.length === 0) return;
  for (const name of places) if (!said.includes(name)) Reflect.deleteProperty(process.env, name);
}

/**
 * Reads every option of the command: a flag wins over the environment, the environment over the default. `labelOf`
 * says what people call the flag of an option.
 * @throws UsageError naming the option, the value and what is allowed.
 */
export function readConfig(
  command: CommandName,
  flags: Flags,
  env: Environment,
  labelOf = (name: OptionName): string => `--${flagOf(name)}`,
): Config {
  const values = new Map<OptionName, Given>();
  for (const name of optionNames) {
    const flag = flags[name];
    const isGiven = flag !== undefined;
    values.set(
      name,
      isGiven
        ? checkOption(options[name], String(flag), labelOf(name))
        : readVariable(command, options[name], env),
    );
  }
  const text = (name: OptionName): string => given(name).value;
  const count = (name: OptionName): number | undefined =>
    text(name) === '' ? undefined : Number(text(name));
  const path = (name: OptionName): string | undefined =>
    text(name) === '' ? undefined : resolve(text(name));
  const given = (name: OptionName): Given => values.get(name) ?? { value: '', label: '' };

  const isDump = isDumpChosen(given('source'), given('mongoUrl'));
  const dumpPath = isDump ? path('source') : undefined;
  const mongoUrl = isDump ? '' : checkMongoUrl(given('mongoUrl'));
  const postgresUrl = checkPostgresUrl(given('postgresUrl'));
  const hasTwoSides = command === 'start' || command === 'verify';
  if (hasTwoSides) refuseHalfEmbedded(isDump ? 'SOURCE' : mongoUrl && 'MONGO_URL', postgresUrl);
  const isCollectionSet = given('mongoCollection').label !== '';
  const mongoCollection =
    dumpPath === undefined || isCollectionSet ? text('mongoCollection') : collectionOfDump(dumpPath);
  refuseSeveral(command, mongoCollection, text('plan'));
  const filter = readFilter(given('filter'), isDump);
  const isMongoDbSet = given('mongoDb').label !== '';
  const defaultDb = isDump ? '' : databaseOf(mongoUrl) || text('mongoDb');
  return Object.freeze({
    dumpPath,
    mongoUrl: new SecretUrl(isDump ? '' : mongoUrl || embedded),
    mongoDb: isMongoDbSet ? text('mongoDb') : defaultDb,
    mongoCollection,
    excludeCollections: text('excludeCollections'),
    postgresUrl: new SecretUrl(postgresUrl || embedded),
    postgresSchema: text('postgresSchema'),
    ifExists: given('ifExists').label === '' ? undefined : (text('ifExists') as IfExists),
    isRestart: text('restart') === 'true',
    clusterImplementation: text('clusterImplementation') as ClusterImplementation,
    clusterSizeMultiplier: count('clusterSizeMultiplier') ?? 1,
    clusterSize: count('clusterSize'),
    itemsPerPage: count('itemsPerPage') ?? 1,
    readRanges: count('readRanges') ?? 1,
    maxInFlightBytes: (count('maxInFlightMb') ?? 1) * 1_000_000,
    metricsPort: count('metricsPort'),
    metricsHost: text('metricsHost'),
    isDryRun: text('dryRun') === 'true',
    isWatching: text('watch') === 'true',
    showsAll: text('all') === 'true',
    isVerified: text('verify') === 'true',
    isFollowed: text('follow') === 'true',
    sampleShare: given('sample').label === '' ? 1 : Number(text('sample')),
    maxDeadLetters: count('maxDeadLetters'),
    retryLimitMs: (count('retrySeconds') ?? 1) * 1000,
    answerTimeoutMs: (count('answerTimeoutSeconds') ?? 1) * 1000,
    workerTimeoutMs: (count('workerTimeoutSeconds') ?? 1) * 1000,
    sampleSize: count('sampleSize') ?? 1,
    filter,
    planPath: path('plan'),
    layout: text('schema') as Layout,
    objectId: text('objectId') as ObjectIdStyle,
    isRequiredNotNull: text('requiredNotNull') === 'true',
    jsonStyle: text('jsonStyle') as JsonStyle,
    nul: text('nul') as NulPolicy,
    outPath: path('out'),
    isOverwriteAllowed: text('force') === 'true',
    indexes: text('indexes') as Config['indexes'],
    indexJobs: count('indexJobs') ?? 1,
    reportPath: path('report'),
    amountUsers: count('amountUsers'),
    amountUsersSeed: count('amountUsersSeed') ?? 1,
    liveSeconds: count('live'),
    liveRate: count('rate') ?? 1,
    dataDir: resolve(text('dataDir')),
    json: text('json') === 'true',
  });
}

/** How PostgreSQL is reached. */
export function targetOptions({ postgresUrl, retryLimitMs, answerTimeoutMs }: Config): {
  readonly url: string;
  readonly retryLimitMs: number;
  readonly answerTimeoutMs: number;
} {
  return { url: postgresUrl.reveal(), retryLimitMs, answerTimeoutMs };
}

/** A server says itself what of a filter it does not know. */
function readFilter({ value, label }: Given, isDump: boolean): Uint8Array | undefined {
  if (value === '') return undefined;
  const filter = parseFilter(value, label);
  if (isDump) compileFilter(filter, label);
  return filter;
}

/** A plan is about one collection, and so is each command but `start`. */
function refuseSeveral(command: CommandName, collections: string, plan: string): void {
  if (!namesSeveral(collections)) return;
  if (command === 'verify' || (command === 'start' && plan === '')) return;
  const what = command === 'start' ? 'PLAN' : `the command ${command}`;
  throw new UsageError(`${what} is for one collection, and MONGO_COLLECTION=${collections} names several`, {
    code: 'ONE_COLLECTION_ONLY',
    fix: 'name one.',
  });
}

/** A flag goes before the environment; of two that are given alike nobody knows which is meant. */
function isDumpChosen(source: Given, mongoUrl: Given): boolean {
  if (source.label === '' || mongoUrl.label === '') return source.label !== '';
  const isFlag = ({ label }: Given): boolean => label.startsWith('--');
  if (isFlag(source) !== isFlag(mongoUrl)) return isFlag(source);
  throw new UsageError(`${source.label} and ${mongoUrl.label} are both set`, {
    code: 'TWO_SOURCES',
    fix: 'documents are read from one of them: unset the other.',
  });
}

/**
 * So that nobody's data lands in a trial server by accident.
 * @param source the variable that says what is read; empty when none does
 */
function refuseHalfEmbedded(source: string, postgresUrl: string): void {
  const [set, missing] = source === '' ? ['POSTGRES_URL', 'MONGO_URL'] : [source, 'POSTGRES_URL'];
  if ((source === '') === (postgresUrl === '')) return;
  throw new UsageError(`${set} is set but ${missing} is not`, {
    code: 'URL_MISSING',
    fix: `set ${missing} too, or ask for the embedded trial server by name with ${missing}=embedded.`,
  });
}
