/** The collection as ready-made rows, for contestants that only load; not part of the measured time. */

import { inferColumns } from '../../src/plan/infer/infer.ts';
import type { Plan } from '../../src/transcode/plan.ts';
import { MongoDatabase } from '../../src/source/mongo/mongo-database.ts';
import { createRowEncoder } from '../../src/transcode/row.ts';
import { databaseName, tableName } from './names.ts';
import type { Place } from './place.ts';

export interface Input {
  readonly plan: Plan;
  /** Binary COPY rows, a page each, without header and trailer. */
  readonly pages: readonly Buffer[];
  readonly bsonBytes: number;
  readonly amount: number;
}

const all = { after: null, until: null };
const headerBytes = 19;
const trailerBytes = 2;

/** Reads and transcodes the whole collection. */
export async function prepareInput({ mongoUrl }: Place): Promise<Input> {
  const options = { url: mongoUrl, db: databaseName, retryLimitMs: 0, answerTimeoutMs: 0 };
  const database = await MongoDatabase.connect(options);
  try {
    const source = await database.open(tableName);
    const { columns, extraColumn } = await inferColumns((await source.sample(10_000)).documents);
    const plan = { collection: source.name, schema: 'public', table: tableName, columns, extraColumn };
    const encoder = createRowEncoder(plan);
    const pages: Buffer[] = [];
    let [bsonBytes, amount] = [0, 0];
    for await (const page of source.pages(all, 10_000)) {
      const { copy, deadLetters } = encoder.encodeBatch(page.bytes);
      if (deadLetters.length > 0) throw new Error('the documents of the benchmarks have no dead letters');
      pages.push(Buffer.from(copy.subarray(headerBytes, copy.length - trailerBytes)));
      bsonBytes += page.bytes.byteLength;
      amount += page.documentCount;
    }
    return { plan, pages, bsonBytes, amount };
  } finally {
    await database.close();
  }
}
