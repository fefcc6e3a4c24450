/** Time, as the supervisor needs it; a test has a clock of its own. */

export interface Clock {
  nowMs(): number;
  /** Calls `action` once after the time; returns how to call it off. Does not keep the process alive. */
  after(delayMs: number, action: () => void): () => void;
}

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  after: (delayMs, action) => {
    const timer = setTimeout(action, delayMs).unref();
    return () => {
      clearTimeout(timer);
    };
  },
};
