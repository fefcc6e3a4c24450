/** Distinguishes expected failures of the file system, by their codes, from the others. */

export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}

/** Returns undefined for a failure with one of the codes; rethrows any other. */
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
