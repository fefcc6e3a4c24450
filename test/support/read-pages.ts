/** All pages of an interval, for who reads alone. */

import type { Interval, Page, Source } from '../../src/source/source.ts';

export async function* readPages(
  source: Pick<Source, 'readPage'>,
  { afterId, untilId }: Interval,
  limit: number,
): AsyncGenerator<Page, void, undefined> {
  let page = await source.readPage({ afterId, untilId }, limit);
  while (page !== null) {
    yield page;
    page = await source.readPage({ afterId: page.lastId, untilId }, limit);
  }
}
