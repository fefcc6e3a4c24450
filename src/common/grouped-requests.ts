/** Requests that come while others are being served are then served together, so that each costs less. */

interface Request<T> {
  readonly resolve: (result: T | null) => void;
  readonly reject: (error: unknown) => void;
}

export class GroupedRequests<T> {
  readonly #serve: (count: number) => Promise<readonly T[]>;
  #waiting: Request<T>[] = [];
  #isServing = false;

  /** @param serve returns a result for each of `count` requests, or fewer if it has no more */
  constructor(serve: (count: number) => Promise<readonly T[]>) {
    this.#serve = serve;
  }

  /** @returns null if there was no result left for it. @throws what `serve` throws, to all that were served together */
  request(): Promise<T | null> {
    const result = new Promise<T | null>((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
    });
    if (!this.#isServing) void this.#serveAll();
    return result;
  }

  /** Never rejects: errors go to those that wait. */
  async #serveAll(): Promise<void> {
    this.#isServing = true;
    // Those that begin in the same turn are served together too.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const served = this.#waiting;
      this.#waiting = [];
      try {
        const results = await this.#serve(served.length);
        for (const [index, { resolve }] of served.entries()) resolve(results[index] ?? null);
      } catch (error) {
        for (const { reject } of served) reject(error);
      }
    }
    this.#isServing = false;
  }
}
