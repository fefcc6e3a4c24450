/** Asks by `$type` on servers that do not know all of MongoDB's types. */

import { MongoServerError } from 'mongodb';
import { isIdType } from './id-brackets.ts';

/** What one server was found not to know. */
export class UnknownTypes {
  readonly #aliases = new Set<string>();

  /**
   * Asks again without each alias that the server refuses: a server that does not know a type has no values of it.
   * @param ask gets the aliases to leave out
   */
  async avoid<T>(ask: (unknown: ReadonlySet<string>) => Promise<T>): Promise<T> {
    for (;;) {
      // As it is now: while the server answers, other readers find out more.
      const leftOut = new Set(this.#aliases);
      try {
        return await ask(leftOut);
      } catch (error) {
        const alias = unknownAliasOf(error);
        // The user's own filter may have an unknown type, too.
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
