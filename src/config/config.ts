/** Reads flags, environment and `.env` into one frozen, validated Config. */

import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { compileFilter } from '../bson/match/document-filter.ts';
import { UsageError } from '../common/errors.ts';
import { namesSeveral } from './collection-choice.ts';
import { collectionOfDump } from './dump-file-name.ts';
import { kinds } from './kinds.ts';
import { readText, type Environment, type Given } from './option-value.ts';
import { flagOf, optionNames, options, type OptionName } from './options.ts';
import type { CommandName, Option } from './options/option.ts';
import { noUrl } from './secret-url.ts';
import { databaseOf } from './server-urls.ts';

type KindOf<O extends Option> = (typeof kinds)[O['kind']];

type Value<O extends Option> = O extends { kind: 'choice'; choices: readonly (infer Choice)[] }
  ? Choice
  : ReturnType<KindOf<O>['parse']>;

type Unset<O extends Option> = O extends { default: '' } ? KindOf<O>['unset'] : never;

/**
 * The settings by their names in the options table; the kind of each decides its type. If a server is read, `source` is
 * undefined. If a dump is read, `mongoUrl` is empty, and so is `mongoDb` unless it is set: then the dump names the database.
 */
export type Config = {
  readonly [Name in OptionName]: Value<(typeof options)[Name]> | Unset<(typeof options)[Name]>;
};

export type IfExists = NonNullable<Config['ifExists']>;
export type ClusterImplementation = Config['clusterImplementation'];

/** The settings for connecting to PostgreSQL. */
export type TargetConfig = Pick<Config, 'postgresUrl' | 'retrySeconds' | 'answerTimeoutSeconds'> & {
  /** No setting: the host of several that a process is, by which others find its sessions. */
  readonly hostId?: string;
};

/** Flags as given on the command line, by option name; undefined if not given. */
export type Flags = Partial<Record<OptionName, string | boolean | undefined>>;

/**
 * Adds `.env` of the current folder to the environment. Variables that are set already win, and so does one of SOURCE and
 * MONGO_URL over the other in the file.
 * @throws UsageError
 */
export function loadDotEnv(): void {
  if (!existsSync('.env')) return;
  const places = [options.source.env, options.mongoUrl.env];
  const alreadySet = places.filter((name) => (process.env[name] ?? '') !== '');
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
  if (alreadySet.length === 0) return;
  for (const name of places) if (!alreadySet.includes(name)) Reflect.deleteProperty(process.env, name);
}

/**
 * Reads every option of the command. A flag wins over the environment, the environment over the default.
 * @param labelOf the name of an option in error messages
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
  const config = Object.freeze({ ...parsed, ...resolveSource(parsed, given) });
  if (['start', 'join', 'verify', 'cutover', 'repair', 'doctor'].includes(command)) refuseHalfEmbedded(given);
  refuseSeveral(command, config);
  // A server checks the filter itself.
  if (isDump && config.filter !== undefined) compileFilter(config.filter, given.filter.label);
  return config;
}

type AllGiven = Record<OptionName, Given>;

const notGiven: Given = { value: '', label: '' };

function mapOptions<T>(read: (name: OptionName) => T): Record<OptionName, T> {
  return Object.fromEntries(optionNames.map((name) => [name, read(name)])) as Record<OptionName, T>;
}

/** The option's value in the environment; its default if it is not set there, or the command has no such option. */
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

/** Several settings together say what is read. */
function resolveSource(
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

/** The options of a session with PostgreSQL. */
export function targetOptions({ postgresUrl, retrySeconds, answerTimeoutSeconds, hostId }: TargetConfig): {
  readonly url: string;
  readonly retryLimitMs: number;
  readonly answerTimeoutMs: number;
  readonly hostId?: string;
} {
  return {
    ...(hostId === undefined ? {} : { hostId }),
    url: postgresUrl.reveal(),
    retryLimitMs: retrySeconds * 1000,
    answerTimeoutMs: answerTimeoutSeconds * 1000,
  };
}

/** A plan is about one collection, and so is each command but `start`. */
function refuseSeveral(command: CommandName, { mongoCollection: collections, plan }: Config): void {
  if (!namesSeveral(collections)) return;
  if (
    ['verify', 'cutover', 'repair', 'doctor'].includes(command) ||
    ((command === 'start' || command === 'join') && plan === undefined)
  ) {
    return;
  }
  const what = command === 'start' || command === 'join' ? 'PLAN' : `the command ${command}`;
  throw new UsageError(`${what} is for one collection, and MONGO_COLLECTION=${collections} names several`, {
    code: 'ONE_COLLECTION_ONLY',
    fix: 'name one.',
  });
}

/** A flag wins over the environment. If both are flags, or both variables, the command is ambiguous. */
function isDumpChosen(source: Given, mongoUrl: Given): boolean {
  if (source.label === '' || mongoUrl.label === '') return source.label !== '';
  const isFlag = ({ label }: Given): boolean => label.startsWith('--');
  if (isFlag(source) !== isFlag(mongoUrl)) return isFlag(source);
  throw new UsageError(`${source.label} and ${mongoUrl.label} are both set`, {
    code: 'TWO_SOURCES',
    fix: 'documents are read from one of them: unset the other.',
  });
}

/** So that no data is copied into a trial server by accident. */
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
