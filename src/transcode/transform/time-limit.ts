/**
 * Ends code that does not end by itself. Of Node's own means only a script of `vm` is ended from outside of its thread, with
 * all that it calls.
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
 * Calls `work`, which may not call this again.
 * @returns false when it was ended after `timeoutMs`
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
