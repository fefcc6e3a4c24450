/** A path into a document, as plan files write it. */

/** A text whose names are separated by dots, or the list of the names. */
export type WrittenPath = string | readonly string[];

/** The names that lead to the value. */
export function parsePath(path: WrittenPath): readonly string[] {
  return typeof path === 'string' ? path.split('.') : path;
}

/** As a text wherever that says the same. */
export function writePath(names: readonly string[]): WrittenPath {
  return names.some((name) => name === '' || name.includes('.')) ? names : names.join('.');
}

/** For messages: `address.city`, or `["address","a.b"]`. */
export function showPath(names: readonly string[]): string {
  return JSON.stringify(writePath(names));
}
