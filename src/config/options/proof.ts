/** Settings of the group *Proof*: what is checked before and after a copy. */

import { startAndJoin, startOnly } from './commands.ts';
import type { OptionsOf } from './option.ts';

export const proofOptions = {
  dryRun: {
    env: 'DRY_RUN',
    flag: 'dry-run',
    kind: 'switch',
    default: '',
    describe: 'Inspect both sides and report what a start would do, without writing to either.',
    commands: startOnly,
    group: 'Proof',
  },
  verify: {
    env: 'VERIFY',
    kind: 'switch',
    default: '',
    describe: 'After the copy, compare every document with its row, as the command `verify` does.',
    commands: startAndJoin,
    group: 'Proof',
  },
  sample: {
    env: 'VERIFY_SAMPLE',
    flag: 'sample',
    kind: 'share',
    default: '100%',
    describe:
      'Share of the documents to compare, such as 1%, in random pages. All documents are still read and counted.',
    commands: ['start', 'join', 'verify'],
    group: 'Proof',
  },
} as const satisfies OptionsOf<'Proof'>;
