/** Tells the file system's expected failures from the others. */

export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}

/** Passes a failure with one of the codes as undefined; any other is thrown on. */
export async function unlessCode<T>(
  promise: Promise<T>,
  ...codes: readonly string[]
): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (hasCode(error, ...codes)) return undefined;
    throw error;
  }
}
