/** Listings of flats: an address with a place on the map, amenities, and reviews. */

import { Decimal128, Double, type Document } from 'mongodb';
import type { Random } from '../../../../src/common/random.ts';
import { chooseSome, makeDate, makeList, makeName, makeNumber, makeWords } from './parts.ts';

const amenities = ['Wifi', 'Kitchen', 'Heating', 'Washer', 'Desk', 'Elevator', 'Crib', 'Pool', 'Garden'];
const places = [
  { city: 'Barcelona', country: 'Spain', at: [2.17, 41.38] },
  { city: 'Istanbul', country: 'Turkey', at: [28.97, 41.01] },
  { city: 'Montreal', country: 'Canada', at: [-73.56, 45.5] },
  { city: 'Porto', country: 'Portugal', at: [-8.61, 41.15] },
  { city: 'Sydney', country: 'Australia', at: [151.21, -33.87] },
] as const;

export function makeListing(id: number, random: Random): Document {
  const { city, country, at } = random.pick(places);
  return {
    _id: String(10_000_000 + id),
    name: makeWords(random, 3),
    price: Decimal128.fromString(`${20 + random.below(300)}.00`),
    bedrooms: random.below(5),
    address: {
      street: `${makeWords(random, 1)} Street ${1 + random.below(99)}`,
      city,
      country,
      location: {
        type: 'Point',
        coordinates: at.map((degrees) => {
          return new Double(Number((degrees + makeNumber(random, 1, 4) / 10).toFixed(5)));
        }),
        ...(random.chance(0.2) ? { isExact: random.chance(0.5) } : {}),
      },
    },
    amenities: chooseSome(random, amenities, 0.5),
    host: {
      id: random.below(5_000),
      name: makeName(random),
      verifications: chooseSome(random, ['email', 'phone', 'government_id'], 0.6),
    },
    availability: { days30: random.below(31), days365: random.below(366) },
    reviews: makeList(random, 12, (place) => ({
      _id: `${id}-${place}`,
      date: makeDate(random, 2018, 2025),
      reviewer: { id: random.below(50_000), name: makeName(random) },
      comments: `${makeWords(random, 8)}.`,
    })),
  };
}
