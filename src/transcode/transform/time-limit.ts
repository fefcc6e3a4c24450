/**
 * Terminates code that does not end by itself. In Node, only a script of `vm` can be terminated, with everything that it calls.
 */

import { createContext, Script } from 'node:vm';

const script = new Script('work()');
let current: () => void = () => undefined;
const context = createContext({
  work: () => {
    current();
  },
});

/**
 * Calls `work`, which must not call this again.
 * @returns false if it was terminated after `timeoutMs`
 * @throws what `work` throws
 */
export function endsWithin(timeoutMs: number, work: () => void): boolean {
  current = work;
  try {
    script.runInContext(context, { timeout: timeoutMs });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return false;
    throw error;
  } finally {
    current = () => undefined;
  }
}
