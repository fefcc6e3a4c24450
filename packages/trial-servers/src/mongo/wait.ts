/** Waits for something to happen, but not longer than a client does. */

/**
 * Fulfilled with true when the function that `listen` receives was called, with false after `ms`; immediately
 * when `ended` is aborted. `listen` returns a function that stops listening. Keeps no process alive.
 */
export function waitFor(
  listen: (wake: () => void) => () => void,
  ms: number,
  ended: AbortSignal,
): Promise<boolean> {
  return new Promise((resolve) => {
    const finish = (hasHappened: boolean): void => {
      clearTimeout(timer);
      stopListening();
      ended.removeEventListener('abort', giveUp);
      resolve(hasHappened);
    };
    const giveUp = (): void => {
      finish(false);
    };
    const timer = setTimeout(giveUp, ms).unref();
    const stopListening = listen(() => {
      finish(true);
    });
    ended.addEventListener('abort', giveUp);
    if (ended.aborted) {
      giveUp();
    }
  });
}
