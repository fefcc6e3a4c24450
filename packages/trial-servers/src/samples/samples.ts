/** The sample sets: collections with documents and arrays inside of documents, made the same every time. */

import type { Document } from 'mongodb';
import { createRandom, type Random } from '../../../../src/common/random.ts';
import type { SampleSet } from '../../../../src/config/sample-sets.ts';
import { makeFilm } from './films.ts';
import { makeListing } from './listings.ts';
import { makeSale } from './sales.ts';
import { makeTransactions } from './transactions.ts';

const makers: Readonly<Record<SampleSet, (id: number, random: Random) => Document>> = {
  films: makeFilm,
  listings: makeListing,
  sales: makeSale,
  transactions: makeTransactions,
};

/** Seeds far enough apart that consecutive documents are independent. */
const seedStep = 0x9e3779b1;

/** The documents `firstId` to `firstId + count - 1` of a set. Each depends on its number alone. */
export function makeSamples(set: SampleSet, firstId: number, count: number): Document[] {
  const make = makers[set];
  return Array.from({ length: count }, (_, index) => {
    const id = firstId + index;
    return make(id, createRandom(Math.imul(id, seedStep)));
  });
}
