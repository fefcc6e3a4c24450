/** Paths into documents, in the format of plan files. */

/** A text of names separated by dots, or a list of names. */
export type WrittenPath = string | readonly string[];

/** The names of the path. */
export function parsePath(path: WrittenPath): readonly string[] {
  return typeof path === 'string' ? path.split('.') : path;
}

/** As a text, unless that would be ambiguous. */
export function writePath(names: readonly string[]): WrittenPath {
  return names.some((name) => name === '' || name.includes('.')) ? names : names.join('.');
}

/** For messages: `address.city`, or `["address","a.b"]`. */
export function showPath(names: readonly string[]): string {
  return JSON.stringify(writePath(names));
}

/** Whether the path leads through the other one, and beyond it. */
export function isInside(path: readonly string[], other: readonly string[]): boolean {
  return path.length > other.length && other.every((name, index) => path[index] === name);
}
