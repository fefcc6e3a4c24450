/** Sales: lines with prices, tags, and taxes of their own. */

import { Decimal128, ObjectId, type Document } from 'mongodb';
import type { Random } from '../../../../src/common/random.ts';
import { chooseSome, makeDate, makeList, makeName } from './parts.ts';

const goods = ['backpack', 'binder', 'envelopes', 'laptop', 'notepad', 'pens', 'printer paper'];
const stores = ['Austin', 'Denver', 'London', 'New York', 'San Diego', 'Seattle'];

export function makeSale(id: number, random: Random): Document {
  const name = makeName(random);
  return {
    _id: new ObjectId(id.toString(16).padStart(24, '0')),
    saleDate: makeDate(random, 2020, 2025),
    storeLocation: random.pick(stores),
    purchaseMethod: random.pick(['In store', 'Online', 'Phone']),
    couponUsed: random.chance(0.1),
    customer: {
      name,
      age: 18 + random.below(60),
      email: `${name.toLowerCase().replace(' ', '.')}@example.org`,
      // A few have a text instead.
      satisfaction: random.chance(0.005) ? 'no answer' : 1 + random.below(5),
    },
    lines: makeList(random, 7, () => ({
      name: random.pick(goods),
      price: Decimal128.fromString(`${random.below(500)}.${10 + random.below(90)}`),
      quantity: 1 + random.below(9),
      tags: chooseSome(random, ['office', 'school', 'travel'], 0.5),
      taxes: [
        { name: 'state', rate: random.pick([2.5, 4.25, 6.5]) },
        ...(random.chance(0.3) ? [{ name: 'city', rate: random.pick([0.5, 1.5]) }] : []),
      ],
    })),
  };
}
