/** The arguments of a command beside its settings. */

import type { JobListener } from '../../observe/listeners.ts';
import type { Output } from '../output.ts';
import type { Progress } from '../progress.ts';

export interface CommandOptions {
  readonly output: Output;
  readonly progress: Progress;
  /** Receive the events of the run; `progress` is one of them. */
  readonly listeners: readonly JobListener[];
  /** Aborted when the user asks to stop; its reason is the error to throw. */
  readonly signal: AbortSignal;
}
