/** Waits for something to happen, but not longer than a client does. */

/**
 * Fulfilled with true when the one that `listen` gave its function to has called it, with false after `ms`; at once
 * when `ended` is aborted. `listen` hands back how to stop listening. Keeps no process alive.
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
