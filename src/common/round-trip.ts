/** Measures the round trip to a server, by a request that costs it nothing. */

/** Several, because a single one may have waited for something else. */
const roundTrips = 5;

/** @returns the median, in milliseconds, and the last answer */
export async function measureRoundTrip<T>(
  ask: () => Promise<T>,
): Promise<{ readonly roundTripMs: number; readonly answer: T }> {
  const times: number[] = [];
  const time = async (): Promise<T> => {
    const start = performance.now();
    const answer = await ask();
    times.push(performance.now() - start);
    return answer;
  };
  let answer = await time();
  while (times.length < roundTrips) answer = await time();
  const roundTripMs = times.sort((a, b) => a - b)[Math.floor(roundTrips / 2)] ?? 0;
  return { roundTripMs, answer };
}
