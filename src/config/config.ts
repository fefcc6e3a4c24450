/** Turns flags, environment and `.env` into one frozen, validated Config, or refuses with one clear line. */

import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { compileFilter } from '../bson/match/document-filter.ts';
import { UsageError } from '../common/errors.ts';
import { namesSeveral } from './collection-choice.ts';
import { collectionOfDump } from './dump-file-name.ts';
import { kinds } from './kinds.ts';
import { readText, type Environment, type Given } from './option-value.ts';
import { flagOf, optionNames, options, type CommandName, type Option, type OptionName } from './options.ts';
import { noUrl } from './secret-url.ts';
import { databaseOf } from './server-urls.ts';

type KindOf<O extends Option> = (typeof kinds)[O['kind']];

type Value<O extends Option> = O extends { kind: 'choice'; choices: readonly (infer Choice)[] }
  ? Choice
  : ReturnType<KindOf<O>['parse']>;

type Unset<O extends Option> = O extends { default: '' } ? KindOf<O>['unset'] : never;

/**
 * The settings by the names of the table, each as its kind reads it. Beyond what was given: `source` is undefined and
 * `mongoUrl` empty where the other of the two is read, and `mongoDb` is empty where a dump is to tell it.
 */
export type Config = {
  readonly [Name in OptionName]: Value<(typeof options)[Name]> | Unset<(typeof options)[Name]>;
};

export type IfExists = NonNullable<Config['ifExists']>;
export type ClusterImplementation = Config['clusterImplementation'];

/** What it takes to reach PostgreSQL. */
export type TargetConfig = Pick<Config, 'postgresUrl' | 'retrySeconds' | 'answerTimeoutSeconds'>;

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
 * @throws UsageError that names the option, the value and what is allowed.
 */
export function readConfig(
  command: CommandName,
  flags: Flags,
  env: Environment,
  labelOf = (name: OptionName): string => `--${flagOf(name)}`,
): Config {
  const given = mapOptions((name): Given => {
    const flag = flags[name];
    return flag === undefined
      ? readVariable(command, options[name], env)
      : readText(String(flag), labelOf(name));
  });
  const isDump = isDumpChosen(given.source, given.mongoUrl);
  given[isDump ? 'mongoUrl' : 'source'] = notGiven;
  const parsed = mapOptions((name) => parseOption(options[name], given[name])) as Config;
  const config = Object.freeze({ ...parsed, ...settleSource(parsed, given) });
  if (['start', 'verify', 'cutover', 'repair'].includes(command)) refuseHalfEmbedded(given);
  refuseSeveral(command, config);
  // A server says itself what of a filter it does not know.
  if (isDump && config.filter !== undefined) compileFilter(config.filter, given.filter.label);
  return config;
}

type AllGiven = Record<OptionName, Given>;

const notGiven: Given = { value: '', label: '' };

function mapOptions<T>(read: (name: OptionName) => T): Record<OptionName, T> {
  return Object.fromEntries(optionNames.map((name) => [name, read(name)])) as Record<OptionName, T>;
}

/** What the environment says of an option; its default where it says nothing, or the command has no such option. */
function readVariable(command: CommandName, option: Option, env: Environment): Given {
  const fromEnv = env[option.env];
  // An empty variable counts as not set, so that `.env` may list what it does not use.
  const isUsed = option.commands.includes(command) && fromEnv !== undefined && fromEnv !== '';
  return isUsed ? readText(fromEnv, option.env) : { value: option.default, label: '' };
}

function parseOption(option: Option, given: Given): unknown {
  const { parse, unset } = kinds[option.kind];
  return given.value === '' ? unset : parse(given, option);
}

/** What is read is told by several settings together. */
function settleSource(
  { source, mongoUrl, mongoDb, mongoCollection }: Config,
  given: AllGiven,
): Pick<Config, 'mongoUrl' | 'mongoDb' | 'mongoCollection'> {
  const isSet = (name: OptionName): boolean => given[name].label !== '';
  if (source === undefined) {
    const named = databaseOf(mongoUrl.reveal());
    return { mongoUrl, mongoCollection, mongoDb: isSet('mongoDb') || named === '' ? mongoDb : named };
  }
  return {
    mongoUrl: noUrl,
    mongoDb: isSet('mongoDb') ? mongoDb : '',
    mongoCollection: isSet('mongoCollection') ? mongoCollection : collectionOfDump(source),
  };
}

/** How a session reaches PostgreSQL. */
export function targetOptions({ postgresUrl, retrySeconds, answerTimeoutSeconds }: TargetConfig): {
  readonly url: string;
  readonly retryLimitMs: number;
  readonly answerTimeoutMs: number;
} {
  return {
    url: postgresUrl.reveal(),
    retryLimitMs: retrySeconds * 1000,
    answerTimeoutMs: answerTimeoutSeconds * 1000,
  };
}

/** A plan is about one collection, and so is each command but `start`. */
function refuseSeveral(command: CommandName, { mongoCollection: collections, plan }: Config): void {
  if (!namesSeveral(collections)) return;
  if (['verify', 'cutover', 'repair'].includes(command) || (command === 'start' && plan === undefined)) {
    return;
  }
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

/** So that nobody's data lands in a trial server by accident. */
function refuseHalfEmbedded(given: AllGiven): void {
  const source = (['source', 'mongoUrl'] as const).find((name) => given[name].value !== '');
  const isTargetSet = given.postgresUrl.value !== '';
  if ((source !== undefined) === isTargetSet) return;
  const [set, missing] =
    source === undefined
      ? [options.postgresUrl.env, options.mongoUrl.env]
      : [options[source].env, options.postgresUrl.env];
  throw new UsageError(`${set} is set but ${missing} is not`, {
    code: 'URL_MISSING',
    fix: `set ${missing} too, or ask for the embedded trial server by name with ${missing}=embedded.`,
  });
}
