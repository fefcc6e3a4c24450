/** Random documents with nested documents and arrays, and random changes anywhere in them: the same for the same seed. */

import { MongoServerError, type Collection, type Document, type UpdateFilter } from 'mongodb';
import type { Random } from '../../src/common/random.ts';

export interface NestedThing extends Document {
  readonly _id: number;
}

/** A text that PostgreSQL cannot store. */
const nulText = 'a\0b';

export function makeNestedThing(random: Random, _id: number): NestedThing {
  const n = random.below(1_000_000);
  return {
    _id,
    n,
    text: `text ${n}`,
    ...(random.chance(0.9) ? { customer: makeCustomer(random) } : {}),
    ...(random.chance(0.9) ? { lines: listOf(random, 4, makeLine) } : {}),
    ...(random.chance(0.8) ? { tags: listOf(random, 3, makeTag) } : {}),
    ...(random.chance(0.6) ? { scores: listOf(random, 4, () => random.below(100)) } : {}),
    // In too few documents for a column.
    ...(random.chance(0.02) ? { [`more_${random.below(9)}`]: makeOdd(random) } : {}),
  };
}

/** Changes after which the document can be a row. */
export function makeSoundThing(random: Random, _id: number): NestedThing {
  return { ...makeNestedThing(random, _id), n: 2 };
}

function makeCustomer(random: Random): Document {
  return {
    name: `name ${random.below(50)}`,
    ...(random.chance(0.8)
      ? { address: { city: makeCity(random), geo: { lat: random.below(90) / 4 } } }
      : {}),
    ...(random.chance(0.5) ? { since: new Date(1.7e12 + random.below(1e9)) } : {}),
  };
}

function makeLine(random: Random): Document {
  return {
    ...(random.chance(0.2) ? { _id: `line ${random.below(100)}` } : {}),
    sku: `sku ${random.below(100)}`,
    ...(random.chance(0.7) ? { from: { city: makeCity(random) } } : {}),
    ...(random.chance(0.8) ? { taxes: listOf(random, 3, makeTax) } : {}),
    ...(random.chance(0.4) ? { notes: listOf(random, 3, makeTag) } : {}),
  };
}

function makeTax(random: Random): Document {
  return {
    rate: random.below(30),
    ...(random.chance(0.5) ? { of: random.pick(['net', 'gross']) } : {}),
    ...(random.chance(0.4) ? { parts: listOf(random, 2, makePart) } : {}),
  };
}

const makePart = (random: Random): Document => ({ name: `part ${random.below(20)}` });
const makeTag = (random: Random): string => `tag ${random.below(20)}`;
const makeCity = (random: Random): string => random.pick(['Rome', 'Oslo', 'Lima', '']);

/** A value of another shape than most have. */
function makeOdd(random: Random): unknown {
  return random.pick<unknown>([
    ...['none', 5, 1.5, null, true, {}, [], { sku: 'of no array' }, new Date(1.7e12)],
    ...[
      [[1, 2], 'gift', null, {}, 3],
      [{ taxes: 'none' }, { taxes: [{}, 4] }],
      ['x', 1, null, { y: 2 }],
    ],
  ]);
}

/** From none to `most` of them. */
function listOf<T>(random: Random, most: number, make: (random: Random) => T): T[] {
  return Array.from({ length: random.below(most + 1) }, () => make(random));
}

/** Writes one change, or several together. A refused one, such as `$push` to a text, is no change. */
export async function changeNestedDocuments<T extends NestedThing>(
  collection: Collection<T>,
  random: Random,
  ids: { next: number },
): Promise<void> {
  const things = collection as unknown as Collection<NestedThing>;
  const _id = random.below(ids.next);
  const several = { _id: { $gte: _id, $lt: _id + 1 + random.below(20) } };
  try {
    switch (random.below(12)) {
      case 0:
        await things.insertMany(
          Array.from({ length: 1 + random.below(5) }, () => makeNestedThing(random, ids.next++)),
        );
        return;
      case 1:
        await things.deleteOne({ _id });
        return;
      case 2:
        await things.replaceOne({ _id }, makeNestedThing(random, _id), { upsert: random.chance(0.5) });
        return;
      case 3:
        await things.updateMany(several, makeUpdate(random));
        return;
      case 4:
        await things.bulkWrite(
          Array.from({ length: 2 + random.below(6) }, () => ({
            updateOne: { filter: { _id: random.below(ids.next) }, update: makeUpdate(random) },
          })),
          { ordered: false },
        );
        return;
      case 5:
        await things.updateOne({ _id }, [
          { $set: { text: `by a pipeline ${random.below(100)}` } },
          { $unset: random.pick(['lines', 'tags', 'customer', 'scores']) },
        ]);
        return;
      default:
        await things.updateOne({ _id }, makeUpdate(random));
    }
  } catch (error) {
    if (!isRefused(error)) throw error;
  }
}

/** Because of the document, and not because the server or a connection has failed. */
function isRefused(error: unknown): boolean {
  const refusals = new Set<unknown>([2, 9, 14, 16_837, 16_836, 28, 40, 52, 11_000]);
  return error instanceof MongoServerError && refusals.has(error.code);
}

function makeUpdate(random: Random): UpdateFilter<NestedThing> {
  const line = `lines.${random.below(3)}`;
  const taxes = `${line}.taxes`;
  const tax = `${taxes}.${random.below(3)}`;
  const array = random.pick(['lines', taxes, `${tax}.parts`, 'tags', `${line}.notes`, 'scores']);
  const element = (): unknown => makeElement(random, array);
  switch (random.below(11)) {
    case 0:
      return push(array, { $each: listOf(random, 2, element), $position: random.below(3) });
    case 1:
      return push(array, { $each: [element()], $slice: random.pick([-2, 1, 3]) });
    case 2:
      return { $pop: { [array]: random.pick([1, -1]) } } as UpdateFilter<NestedThing>;
    case 3:
      return { $pull: { [array]: pullCondition(random, array) } } as UpdateFilter<NestedThing>;
    case 4:
      return { $set: { [array]: listOf(random, 5, element) } };
    case 5:
      return {
        $unset: { [random.pick([array, line, tax, `${line}.from`, 'customer', 'customer.address'])]: 1 },
      };
    case 6: {
      const places = [array, line, tax, 'customer', 'customer.address', 'customer.name', `${line}.from`];
      return { $set: { [random.pick(places)]: makeOdd(random) } };
    }
    case 7:
      return {
        $set: { 'customer.address.city': makeCity(random), [`${line}.from.city`]: makeCity(random) },
        $inc: { n: 1, [`${tax}.rate`]: 1 },
      };
    case 8:
      return { $rename: { 'customer.name': 'customer.title', tags: 'scores' } };
    case 9: {
      if (random.chance(0.7)) return { $set: { [`more_${random.below(9)}`]: makeOdd(random) } };
      const places = ['text', 'customer.name', 'tags.0', `${line}.sku`, `${tax}.of`, `${tax}.parts.0.name`];
      return { $set: { [random.pick(places)]: nulText } };
    }
    default:
      return { $set: { n: random.below(1_000_000), text: `changed ${random.below(1_000)}` } };
  }
}

const push = (array: string, value: Document): UpdateFilter<NestedThing> =>
  ({ $push: { [array]: value } }) as unknown as UpdateFilter<NestedThing>;

function makeElement(random: Random, array: string): unknown {
  if (random.chance(0.05)) return makeOdd(random);
  if (array === 'lines') return makeLine(random);
  if (array.endsWith('taxes')) return makeTax(random);
  if (array.endsWith('parts')) return makePart(random);
  return array === 'scores' ? random.below(100) : makeTag(random);
}

function pullCondition(random: Random, array: string): unknown {
  if (array === 'lines') return { sku: { $gte: `sku ${random.below(100)}` } };
  if (array.endsWith('taxes')) return { rate: { $lt: random.below(30) } };
  if (array.endsWith('parts')) return makePart(random);
  return array === 'scores' ? { $gt: random.below(100) } : makeTag(random);
}
