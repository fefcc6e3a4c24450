/** What the sample sets have in common: names, dates, and lists of things. */

import type { Random } from '../../../../src/common/random.ts';

const firstNames = ['Ada', 'Alan', 'Barbara', 'Edgar', 'Frances', 'Grace', 'John', 'Leslie', 'Mary', 'Tony'];
const lastNames = [
  'Allen',
  'Backus',
  'Codd',
  'Hoare',
  'Hopper',
  'Keller',
  'Lamport',
  'Liskov',
  'Turing',
  'Young',
];
const words = 'quiet river north winter paper garden silver stone harbour morning letter bridge'.split(' ');

export function makeName(random: Random): string {
  return `${random.pick(firstNames)} ${random.pick(lastNames)}`;
}

export function makeWords(random: Random, count: number): string {
  const text = Array.from({ length: count }, () => random.pick(words)).join(' ');
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Between the first days of the two years. */
export function makeDate(random: Random, firstYear: number, lastYear: number): Date {
  const first = Date.UTC(firstYear, 0, 1);
  return new Date(first + random.below((Date.UTC(lastYear, 0, 1) - first) / 1000) * 1000);
}

/** From 0 to before `limit` of what `make` makes. */
export function makeList<T>(random: Random, limit: number, make: (place: number) => T): T[] {
  return Array.from({ length: random.below(limit) }, (_, place) => make(place));
}

/** Some of these, each at most once, in their order. */
export function chooseSome<T>(random: Random, from: readonly T[], probability: number): T[] {
  return from.filter(() => random.chance(probability));
}

/** With so many decimal places. */
export function makeNumber(random: Random, limit: number, places: number): number {
  const scale = 10 ** places;
  return random.below(limit * scale) / scale;
}
