/** Uses `$type` on servers that do not know all of MongoDB's types. */

import { MongoServerError } from 'mongodb';
import { isIdType } from './id-brackets.ts';

/** The type aliases that a server has rejected. */
export class UnknownTypes {
  readonly #aliases = new Set<string>();

  /**
   * Repeats the query without each alias that the server rejects: a server that does not know a type has no values of it.
   * @param ask called with the aliases to leave out
   */
  async avoid<T>(ask: (unknown: ReadonlySet<string>) => Promise<T>): Promise<T> {
    for (;;) {
      // A copy, because other readers may add aliases meanwhile.
      const leftOut = new Set(this.#aliases);
      try {
        return await ask(leftOut);
      } catch (error) {
        const alias = unknownAliasOf(error);
        // The alias may also come from the user's filter.
        if (alias === null || !isIdType(alias) || leftOut.has(alias)) throw error;
        this.#aliases.add(alias);
      }
    }
  }
}

function unknownAliasOf(error: unknown): string | null {
  if (!(error instanceof MongoServerError)) return null;
  return /^Unknown type name alias: (\w+)/.exec(error.message)?.[1] ?? null;
}
