/** Films: ratings in documents inside of documents, and a cast whose members have awards. */

import type { Document } from 'mongodb';
import type { Random } from '../../../../src/common/random.ts';
import { chooseSome, makeDate, makeList, makeName, makeNumber, makeWords } from './parts.ts';

const genres = ['Comedy', 'Crime', 'Drama', 'Family', 'History', 'Mystery', 'Romance', 'Thriller'];
const countries = ['Denmark', 'France', 'Germany', 'Italy', 'Japan', 'Mexico', 'UK', 'USA'];
const prizes = ['Best Actor', 'Best Newcomer', 'Audience Award'];

export function makeFilm(_id: number, random: Random): Document {
  const released = makeDate(random, 1950, 2025);
  const rate = (limit: number): Document => ({
    rating: makeNumber(random, limit, 1),
    votes: random.below(100_000),
  });
  return {
    _id,
    title: makeWords(random, 1 + random.below(4)),
    year: released.getUTCFullYear(),
    runtime: 60 + random.below(120),
    released,
    genres: chooseSome(random, genres, 0.25),
    countries: chooseSome(random, countries, 0.15),
    ...(random.chance(0.8) ? { plot: `${makeWords(random, 12)}.` } : {}),
    imdb: { id: 100_000 + _id, ...rate(10) },
    ...(random.chance(0.7)
      ? {
          critics: {
            viewer: rate(5),
            ...(random.chance(0.5) ? { press: rate(5) } : {}),
            lastUpdated: released,
          },
        }
      : {}),
    cast: makeList(random, 8, (place) => ({
      name: makeName(random),
      role: makeWords(random, 1),
      billing: place + 1,
      awards: makeList(random, 3, () => ({ name: random.pick(prizes), year: released.getUTCFullYear() + 1 })),
    })),
    ratings: makeList(random, 4, () => ({
      source: random.pick(['daily', 'weekly', 'monthly']),
      value: random.below(101),
      // Some sources have no number.
      ...(random.chance(0.1) ? { note: 'not rated yet' } : {}),
    })),
  };
}
