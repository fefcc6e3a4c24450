/** The kinds of documents that are copied. */

import { Double, Int32, MongoClient, ObjectId, type Document } from 'mongodb';
import { seedUsers } from '../../src/cli/users/seed-users.ts';
import { makeOrder } from './orders.ts';
import { databaseName, tableName } from './names.ts';

export const kinds = ['users', 'wide', 'orders', 'large'] as const;
export type Kind = (typeof kinds)[number];

export const describeKind: Readonly<Record<Kind, string>> = {
  users: 'small flat users (131 bytes of BSON)',
  wide: 'wide flat records of 80 fields (1.6 kB)',
  orders: 'nested orders (0.9 kB)',
  large: 'documents of 15.5 MB',
};

/** Adds documents `have` to `want - 1`: the same ones every time. */
export async function seedDocuments(url: string, kind: Kind, have: number, want: number): Promise<void> {
  if (kind === 'users') {
    const place = { url, db: databaseName, collection: tableName };
    await seedUsers({ ...place, amount: want - have, ifExists: have === 0 ? 'drop' : 'append' });
    return;
  }
  const { make, perInsert } = makers[kind];
  const client = await MongoClient.connect(url);
  try {
    const collection = client.db(databaseName).collection(tableName);
    if (have === 0) await collection.drop();
    for (let first = have; first < want; first += perInsert) {
      const count = Math.min(perInsert, want - first);
      await collection.insertMany(Array.from({ length: count }, (_, index) => make(first + index)));
    }
  } finally {
    await client.close();
  }
}

const makers: Readonly<Record<Exclude<Kind, 'users'>, { make: (n: number) => Document; perInsert: number }>> =
  {
    wide: { make: makeWide, perInsert: 2_000 },
    orders: { make: makeOrder, perInsert: 5_000 },
    large: { make: makeLarge, perInsert: 1 },
  };

export function idOf(n: number): ObjectId {
  return new ObjectId(n.toString(16).padStart(24, '0'));
}

function makeWide(n: number): Document {
  const fields = Array.from({ length: 20 }, (_, index): [string, unknown][] => [
    [`count${index}`, new Int32((n * 31 + index) % 100_000)],
    [`ratio${index}`, new Double((n % 1_000) / (index + 7))],
    [`label${index}`, `label ${(n + index) % 5_000}`],
    [
      index % 2 === 0 ? `at${index}` : `is${index}`,
      index % 2 === 0 ? new Date(1.7e12 + n * 1_000) : n % 3 === 0,
    ],
  ]);
  return { _id: idOf(n), ...Object.fromEntries(fields.flat()) };
}

/** Half of it text, half of it an array of numbers. */
function makeLarge(n: number): Document {
  return {
    _id: idOf(n),
    title: `large ${n}`,
    text: 'The quick brown fox jumps over the lazy dog. '.repeat(170_000).concat(String(n)),
    samples: Array.from({ length: 450_000 }, (_, index) => new Double((index * (n + 1)) / 7)),
  };
}
