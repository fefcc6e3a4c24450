/** One thing that was looked at before a migration, and what is to be done about it. */

import { toWireError, type ExitCode } from '../../common/errors.ts';

export type Side = 'this machine' | 'source' | 'target';

export interface Finding {
  readonly side: Side;
  /**
   * `ok`: nothing to do; `advice`: a migration works, and works better with a change; `problem`: one fails until it is
   * solved.
   */
  readonly state: 'ok' | 'advice' | 'problem';
  /** One sentence. */
  readonly text: string;
  /** What to do, with the command where there is one; empty where nothing is. */
  readonly fix: string;
  /** Of a problem: the exit code of the migration that it would end. */
  readonly exitCode?: ExitCode;
}

/** Called with each finding as soon as it is known: the next one may take a while. */
export type OnFinding = (finding: Finding) => void;

export function ok(side: Side, text: string): Finding {
  return { side, state: 'ok', text, fix: '' };
}

export function advice(side: Side, text: string, fix: string): Finding {
  return { side, state: 'advice', text, fix };
}

/** What a migration would have failed with. */
export function problem(side: Side, error: unknown): Finding {
  const { message, fix, exitCode } = toWireError(error);
  return { side, state: 'problem', text: message, fix, exitCode };
}
