/** The result of one check before a migration, and what to do about it. */

import { toWireError, type ExitCode } from '../../common/errors.ts';

export type Side = 'this machine' | 'source' | 'target';

export interface Finding {
  readonly side: Side;
  /**
   * `ok`: nothing to do. `advice`: a migration works, but better with a change. `problem`: a migration fails until it is solved.
   */
  readonly state: 'ok' | 'advice' | 'problem';
  /** One sentence. */
  readonly text: string;
  /** What to do, with a command if possible; empty if nothing. */
  readonly fix: string;
  /** For a problem: the exit code with which a migration would fail. */
  readonly exitCode?: ExitCode;
}

/** Called with each finding at once, since the next one may take a while. */
export type OnFinding = (finding: Finding) => void;

export function ok(side: Side, text: string): Finding {
  return { side, state: 'ok', text, fix: '' };
}

export function advice(side: Side, text: string, fix: string): Finding {
  return { side, state: 'advice', text, fix };
}

/** The error with which a migration would fail. */
export function problem(side: Side, error: unknown): Finding {
  const { message, fix, exitCode } = toWireError(error);
  return { side, state: 'problem', text: message, fix, exitCode };
}
