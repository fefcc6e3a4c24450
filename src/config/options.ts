/**
 * The table of settings. An entry has all that is known of its setting. Its key is the name in `Config`, in the library and
 * in the code. The variable, the flag, the type, `--help`, `.env.example` and the tables of the docs follow from it.
 */

import { sourceOptions } from './options/source.ts';
import { targetOptions } from './options/target.ts';
import { workersOptions } from './options/workers.ts';
import { hostsOptions } from './options/hosts.ts';
import { limitsOptions } from './options/limits.ts';
import { followingOptions } from './options/following.ts';
import { proofOptions } from './options/proof.ts';
import { planOptions } from './options/plan.ts';
import { outputOptions } from './options/output.ts';
import { trialServersOptions } from './options/trial-servers.ts';
import type { Option } from './options/option.ts';

/** In the order in which `--help` shows them. The flag of MONGO_URL is `--mongo-url`, and so on. */
export const options = {
  ...sourceOptions,
  ...targetOptions,
  ...workersOptions,
  ...hostsOptions,
  ...limitsOptions,
  ...followingOptions,
  ...proofOptions,
  ...planOptions,
  ...outputOptions,
  ...trialServersOptions,
} as const satisfies Readonly<Record<string, Option>>;

export type OptionName = keyof typeof options;

export const optionNames = Object.keys(options) as OptionName[];

/** `mongo-url` for MONGO_URL. The flag of a switch is its key, as in `--json`. */
export function flagOf(name: OptionName): string {
  const option: Option = options[name];
  if (option.flag !== undefined) return option.flag;
  return option.kind === 'switch' ? name : option.env.toLowerCase().replaceAll('_', '-');
}

/** The default that users are shown; empty if there is none. */
export function shownDefault(name: OptionName): string {
  const option: Option = options[name];
  return option.shown ?? option.default;
}
