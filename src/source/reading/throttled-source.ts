/** Wraps a source so that a throttle limits its pages. */

import type { Database } from '../database.ts';
import type { Interval, Page } from '../page.ts';
import type { Source } from '../source.ts';
import type { Throttle } from './throttle.ts';

/** The page size changes only if the wanted one differs by this factor, because each change starts a new query. */
const minSizeChange = 2;

/** All sources that it opens share the throttle. @param signal ends waiting; its reason is thrown */
export function throttleDatabase(database: Database, throttle: Throttle, signal: AbortSignal): Database {
  return override<Database>(database, {
    open: async (...request) => throttleSource(await database.open(...request), throttle, signal),
  });
}

export function throttleSource(source: Source, throttle: Throttle, signal: AbortSignal): Source {
  /** Totals of all readers. */
  const total = { documents: 0, bytes: 0, heldMs: 0 };
  const limit = (itemsPerPage: number): number =>
    throttle.limitPage(itemsPerPage, total.documents === 0 ? 0 : total.bytes / total.documents);

  async function* pages(interval: Interval, itemsPerPage: number): AsyncGenerator<Page, void, undefined> {
    let rest: Interval | null = interval;
    throttle.enter();
    try {
      while (rest !== null) rest = yield* pagesOfSize(rest, itemsPerPage, limit(itemsPerPage));
    } finally {
      throttle.leave();
    }
  }

  /** @returns the unread part when the page size has to change; null at the end */
  async function* pagesOfSize(
    interval: Interval,
    itemsPerPage: number,
    size: number,
  ): AsyncGenerator<Page, Interval | null, undefined> {
    const reading = source.pages(interval, size);
    try {
      for (;;) {
        if (throttle.isOn) {
          const askedMs = performance.now();
          await throttle.wait(signal);
          total.heldMs += performance.now() - askedMs;
        }
        const beganMs = performance.now();
        const { value: page } = await reading.next();
        if (page === undefined) return null;
        const { documentCount: documents, bytes, last } = page;
        throttle.charge({ documents, bytes: bytes.byteLength, readMs: performance.now() - beganMs });
        total.documents += documents;
        total.bytes += bytes.byteLength;
        yield page;
        const wanted = limit(itemsPerPage);
        if (wanted > size * minSizeChange || wanted * minSizeChange < size) {
          return { ...interval, after: last };
        }
      }
    } finally {
      await reading.return();
    }
  }

  return override<Source>(source, {
    pages,
    get heldMs() {
      return total.heldMs;
    },
  });
}

/** Replaces some members of an object. */
function override<T extends object>(target: T, members: Partial<T>): T {
  return new Proxy(target, {
    get: (_, name) => {
      if (Object.hasOwn(members, name)) return members[name as keyof T];
      const member: unknown = Reflect.get(target, name);
      // Bound to the target, because a proxy has no private fields.
      return typeof member === 'function' ? (member.bind(target) as unknown) : member;
    },
  });
}
