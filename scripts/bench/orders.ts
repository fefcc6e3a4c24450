/** Orders as shops have them: nested documents, arrays, decimals, dates, fields that vary. */

import { Decimal128, Double, Int32, ObjectId, type Document } from 'mongodb';
import { childTableName } from './names.ts';
import type { ColumnType } from '../../src/transcode/column-types/names.ts';

const cities = ['Rome', 'Lagos', 'Osaka', 'Lima', 'Tromsø', 'Łódź'];

/** The same for the same number, about 900 bytes of BSON. */
export function makeOrder(n: number): Document {
  const city = cities[n % cities.length];
  return {
    _id: new ObjectId(n.toString(16).padStart(24, '0')),
    number: `2026-${n}`,
    customer: {
      _id: new ObjectId((n % 5_000).toString(16).padStart(24, 'c')),
      name: `Customer ${n % 5_000}`,
      email: `customer${n % 5_000}@example.com`,
      address: {
        street: `${n % 200} Long Street`,
        city,
        zip: String(10_000 + (n % 90_000)),
        geo: [12.5 + (n % 7), 41.9],
      },
    },
    lines: Array.from({ length: 1 + (n % 5) }, (_, line) => ({
      sku: `SKU-${(n * 7 + line) % 10_000}`,
      title: `Article ${line} "of many" – ${city ?? ''}`,
      amount: new Int32(1 + line),
      price: Decimal128.fromString(`${(n % 500) + line}.95`),
      discount: new Double(line / 8),
    })),
    status: ['open', 'paid', 'sent', 'back'][n % 4],
    tags: n % 3 === 0 ? ['gift', 'express'] : [],
    total: Decimal128.fromString(`${(n % 2_000) + 1}.90`),
    createdAt: new Date(Date.UTC(2026, 0, 1) + n * 1_000),
    ...(n % 4 === 2 ? { sentAt: new Date(Date.UTC(2026, 0, 2) + n * 1_000) } : {}),
    ...(n % 10 === 0 ? { note: 'leave it with the neighbours, please' } : {}),
  };
}

/** A plan for orders whose lines go to a table of their own. */
export const lineTablePlan = {
  columns: columnsOf({
    _id: 'objectId',
    number: 'string',
    customer: 'json',
    status: 'string',
    tags: 'json',
    total: 'decimal',
    createdAt: 'date',
    sentAt: 'date',
    note: 'string',
  }),
  children: [
    {
      path: 'lines',
      table: childTableName,
      parentColumn: 'document_id',
      columns: columnsOf({
        sku: 'string',
        title: 'string',
        amount: 'int32',
        price: 'decimal',
        discount: 'double',
      }),
    },
  ],
};

/** Each field in a column of its name. */
function columnsOf(types: Readonly<Record<string, ColumnType>>): object[] {
  return Object.entries(types).map(([name, type]) => ({ column: name, path: name, type }));
}
