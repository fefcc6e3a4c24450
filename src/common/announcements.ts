/** Lets callers wait for a state that comes about bit by bit. */

export class Announcements {
  #waiting: (() => void)[] = [];

  /** To be called after every change, however small. */
  announce(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  /** Waits until `isTrue`, looking again at every change. @throws what `isTrue` throws */
  async until(isTrue: () => boolean): Promise<void> {
    while (!isTrue()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Waits for the next change, but not for longer than this. */
  async next(limitMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
      timer = setTimeout(resolve, limitMs);
    });
    clearTimeout(timer);
  }
}
