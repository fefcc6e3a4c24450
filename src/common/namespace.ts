/** Namespaces of MongoDB: `database.collection`. */

/** The part after the first dot: a database has no dot in its name, but a collection may. */
export function collectionOf(namespace: string): string {
  return namespace.slice(namespace.indexOf('.') + 1);
}
