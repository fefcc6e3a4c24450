/** Several pieces of work in one round trip: what each asks first is sent before the answer to the others has come. */

import type pg from 'pg';

type Work<T> = (client: pg.Client) => Promise<T>;

/**
 * The server executes the queries in the order of the pieces of work, each by itself: none may depend on another having succeeded,
 * unless all are in one transaction. On a connection that is not pipelined, one piece begins when the one before it is done.
 * @returns what each has returned, when all are done
 * @throws the error of the first that failed
 */
export async function inOneTrip<T extends readonly unknown[]>(
  client: pg.Client,
  ...works: { readonly [K in keyof T]: Work<T[K]> }
): Promise<T> {
  const results: unknown[] = [];
  if (client.pipeline) {
    const settled = await Promise.allSettled(works.map((work) => work(client)));
    for (const result of settled) {
      if (result.status === 'rejected') throw result.reason;
      results.push(result.value);
    }
  } else {
    for (const work of works) results.push(await work(client));
  }
  return results as unknown as T;
}
