/** The settings that the functions of the library take: those of the commands, by the names of the options table. */

import { UsageError } from '../common/errors.ts';
import { readConfig, type Config } from './config.ts';
import { options, optionNames, type OptionName } from './options.ts';
import type { CommandName, Option } from './options/option.ts';
import { embedded } from './server-urls.ts';

/** Options that only a command line needs, or for which the library has a function or a listener. */
const commandLineOnly = [
  'amountUsers',
  'amountUsersSeed',
  'dataDir',
  'dryRun',
  'follow',
  'hosts',
  'json',
  'metricsHost',
  'metricsPort',
  'rangeMb',
  'keepJoining',
  'report',
  'verify',
  'watch',
] as const satisfies readonly OptionName[];

type ValueOf<O extends Option> = O extends { kind: 'switch' }
  ? boolean
  : O extends { kind: 'count' }
    ? number
    : O extends { kind: 'size' }
      ? number | 'auto'
      : O extends { kind: 'choice'; choices: readonly (infer Choice)[] }
        ? Choice
        : string;

type OptionsOf<Command extends CommandName> = {
  [Name in OptionName]: Command extends (typeof options)[Name]['commands'][number] ? Name : never;
}[OptionName];

/** The options of a command, by their names in `src/config/options.ts`, such as `mongoUrl` for MONGO_URL. */
type SettingsOf<Command extends CommandName> = {
  readonly [Name in Exclude<OptionsOf<Command>, (typeof commandLineOnly)[number]>]?: ValueOf<
    (typeof options)[Name]
  >;
} & { readonly postgresUrl: string };

interface FromServer {
  readonly mongoUrl: string;
}

type FromEither = FromServer | { readonly source: string };

export type MigrateSettings = SettingsOf<'start'> & FromEither;
export type VerifySettings = SettingsOf<'verify'> & FromEither;
export type FollowSettings = Omit<SettingsOf<'start'>, 'source'> & FromServer;
export type CutoverSettings = SettingsOf<'cutover'> & FromServer;
export type RepairSettings = SettingsOf<'repair'> & FromServer;
export type StatusSettings = SettingsOf<'status'>;
export type TuneSettings = SettingsOf<'tune'>;
export type PromoteSettings = SettingsOf<'promote'> & { readonly table: string; readonly field: string };

/** Validates the settings that a program gave. @throws UsageError */
export function readSettings(command: CommandName, given: object): Config {
  const settings: Readonly<Record<string, unknown>> = { ...given };
  for (const name of Object.keys(settings)) {
    const option: Option | undefined = optionNames.includes(name as OptionName)
      ? options[name as OptionName]
      : undefined;
    if (option?.commands.includes(command) !== true || commandLineOnly.some((each) => each === name)) {
      throw new UsageError(`there is no setting ${name}`, { code: 'SETTING_UNKNOWN' });
    }
  }
  for (const name of urlsOf(command, settings)) {
    const url = settings[name];
    if (typeof url !== 'string' || url === '') {
      throw new UsageError(`${name} is missing`, { code: 'URL_MISSING' });
    }
    if (url === embedded) {
      throw new UsageError(`${name} must be a URL: only commands have embedded servers`, {
        code: 'EMBEDDED_IN_LIBRARY',
      });
    }
  }
  return readConfig(command, settings, {}, (name) => name);
}

/** The settings that are required. */
function urlsOf(
  command: CommandName,
  { source }: Readonly<Record<string, unknown>>,
): readonly ('mongoUrl' | 'source' | 'postgresUrl')[] {
  if (!options.mongoUrl.commands.some((each) => each === command)) return ['postgresUrl'];
  return [source === undefined ? 'mongoUrl' : 'source', 'postgresUrl'];
}
