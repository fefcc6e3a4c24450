/** A host that copies nothing: of each range it commits the ledger's rows, in the transactions in which rows would be loaded. */

import { serialize } from 'bson';
import type pg from 'pg';
import { createLedgerClaim } from '../../src/postgres/ledger/claim.ts';
import { finishRange } from '../../src/postgres/ledger/ranges.ts';
import { closePostgres, type Connection } from '../../src/postgres/connection/connection.ts';
import type { Range } from '../../src/source/page.ts';

export interface SimulatedWork {
  readonly runId: string;
  /** Documents of a batch. */
  readonly page: number;
  /** Documents of a range. */
  readonly perRange: number;
  readonly documents: number;
}

/** The position after so many documents. */
export function cutAt(documents: number): Buffer {
  return Buffer.from(serialize({ _id: documents }));
}

export class SimulatedHost {
  readonly #connection: Connection;
  batches = 0;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  async work(queue: Iterator<Range>, { runId, page, perRange, documents }: SimulatedWork): Promise<void> {
    const { client } = this.#connection;
    await client.query('SET synchronous_commit = off');
    const claim = createLedgerClaim(runId, 'documents');
    for (let next = queue.next(); next.done !== true; next = queue.next()) {
      const { rangeNo, epoch } = next.value;
      const start = (rangeNo - 1) * perRange;
      const end = Math.min(documents, start + perRange);
      for (let at = start; at < end; at += page) {
        const last = Math.min(end, at + page);
        const place = {
          rangeNo,
          epoch,
          number: at - start,
          after: at === 0 ? null : cutAt(at),
          last: cutAt(last),
        };
        const count = last - at;
        const batch = { ...place, documentCount: count, bytes: Buffer.alloc(0) };
        const account = { documentCount: count, copied: count, deadLettered: 0, dropped: 0, addedRows: 0 };
        const row = { ...account, extra: [], childRows: 0 };
        await client.query(`BEGIN; ${claim.statement(batch, row)}; COMMIT`);
        this.batches++;
      }
      await finishRange(client satisfies pg.Client, runId, { rangeNo, epoch }, cutAt(end));
    }
  }

  async close(): Promise<void> {
    await closePostgres(this.#connection);
  }
}
