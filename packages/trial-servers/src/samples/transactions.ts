/** Buckets of an account's transactions: large arrays, of which one document has hundreds of rows. */

import { Decimal128, type Document } from 'mongodb';
import type { Random } from '../../../../src/common/random.ts';
import { makeDate } from './parts.ts';

const symbols = ['adbe', 'amd', 'amzn', 'csco', 'ebay', 'goog', 'ibm', 'intc', 'msft', 'nvda', 'orcl', 'sap'];
const dayMs = 86_400_000;

export function makeTransactions(_id: number, random: Random): Document {
  const first = makeDate(random, 2005, 2020);
  const count = 1 + random.below(100);
  const list = Array.from({ length: count }, (_, place) => {
    const amount = 1 + random.below(10_000);
    const cents = 100 + random.below(50_000);
    return {
      date: new Date(first.getTime() + place * 3 * dayMs),
      amount,
      code: random.pick(['buy', 'sell']),
      symbol: random.pick(symbols),
      price: Decimal128.fromString((cents / 100).toFixed(2)),
      total: Decimal128.fromString(((cents * amount) / 100).toFixed(2)),
    };
  });
  return {
    _id,
    accountId: 50_000 + random.below(5_000),
    count,
    bucket: { start: first, end: new Date(first.getTime() + count * 3 * dayMs) },
    transactions: list,
  };
}
