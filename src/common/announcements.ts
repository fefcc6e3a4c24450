/** A condition variable: callers wait until something is true, and are woken by each change. */

export class Announcements {
  #waiting: (() => void)[] = [];

  /** Wakes all who wait. Call it after every change that may make a condition true. */
  announce(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  /** Waits until `isTrue` returns true; it is called again after each change. @throws what `isTrue` throws */
  async until(isTrue: () => boolean): Promise<void> {
    while (!isTrue()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Waits for the next change, `limitMs` at most. */
  async next(limitMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
      timer = setTimeout(resolve, limitMs);
    });
    clearTimeout(timer);
  }
}
