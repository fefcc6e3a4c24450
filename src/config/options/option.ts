/** The type of an entry in the table of settings. */

import type { Kind, Rules } from '../kinds.ts';

export type CommandName =
  | 'start'
  | 'join'
  | 'plan'
  | 'verify'
  | 'status'
  | 'seed'
  | 'retry'
  | 'servers'
  | 'cutover'
  | 'repair'
  | 'doctor'
  | 'tune'
  | 'promote';

/** The groups of `--help`. */
export type OptionGroup =
  | 'Source'
  | 'Target'
  | 'Plan'
  | 'Workers'
  | 'Hosts'
  | 'Limits'
  | 'Following'
  | 'Proof'
  | 'Output'
  | 'Trial servers';

export interface Option extends Rules {
  readonly env: string;
  /** Decides how its text is parsed, and its type in `Config`. */
  readonly kind: Kind;
  /** The text that is used if none is given; empty means not set. */
  readonly default: string;
  /** What `.env.example` and `--help` show as its default, if not `default`. */
  readonly shown?: string;
  readonly describe: string;
  /** The flag, if it does not follow from the variable's name. */
  readonly flag?: string;
  readonly commands: readonly CommandName[];
  readonly group: OptionGroup;
}

/** The options of one group. */
export type OptionsOf<Group extends OptionGroup> = Readonly<
  Record<string, Option & { readonly group: Group }>
>;
