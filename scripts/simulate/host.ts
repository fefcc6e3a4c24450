/** A host that copies nothing: it takes ranges from the queue, and commits the ledger's rows in the transactions in which rows would be loaded. */

import { deserialize, serialize } from 'bson';
import { createLedgerClaim } from '../../src/postgres/ledger/claim.ts';
import { CopyRanges } from '../../src/postgres/ledger/hosts/copy-ranges.ts';
import { HostRangeQueue } from '../../src/postgres/ledger/hosts/host-range-queue.ts';
import type { HostWork } from '../../src/postgres/ledger/hosts/host-work.ts';
import { recordHeartbeat } from '../../src/postgres/ledger/hosts/hosts.ts';
import type { Session } from '../../src/postgres/connection/session.ts';
import { readHostLimits } from '../../src/run/hosts/host-limits.ts';
import type { Batch, Range } from '../../src/source/page.ts';

export interface SimulatedWork {
  readonly runId: string;
  /** Documents of a batch. */
  readonly page: number;
  readonly documents: number;
}

const { heartbeatMs } = readHostLimits({});

/** The position after so many documents. */
export function cutAt(documents: number): Buffer {
  return Buffer.from(serialize({ _id: documents }));
}

function countBefore(position: Uint8Array): number {
  return Number(deserialize(position)._id);
}

export class SimulatedHost {
  readonly #session: Session;
  readonly #hostId: string;
  readonly #work: SimulatedWork;
  readonly #queue: HostRangeQueue;
  /** It dies in this one of its ranges. */
  readonly #deathAt: number;
  #beatMs = 0;
  batches = 0;
  takes = 0;
  takingMs = 0;

  constructor(session: Session, hosts: HostWork, work: SimulatedWork, deathAt = Infinity) {
    this.#session = session;
    this.#hostId = hosts.hostId;
    this.#work = work;
    this.#deathAt = deathAt;
    this.#queue = new HostRangeQueue({
      session,
      ranges: new CopyRanges(work.runId, hosts),
      waitsForAll: true,
    });
  }

  /** Until all ranges are read, by whichever host. @returns false if it has died */
  async work(): Promise<boolean> {
    do {
      for (let range = await this.#take(); range !== null; range = await this.#take()) {
        if (!(await this.#copy(range))) return false;
      }
    } while (await this.#queue.untilMore(() => false));
    await this.#queue.settle();
    return true;
  }

  async #take(): Promise<Range | null> {
    const startedMs = performance.now();
    const range = await this.#queue.take();
    this.takingMs += performance.now() - startedMs;
    if (range !== null) this.takes++;
    return range;
  }

  /** @returns false if it has died halfway */
  async #copy(range: Range): Promise<boolean> {
    const { runId, page, documents } = this.#work;
    const { rangeNo, epoch, after, until } = range;
    const start = after === null ? 0 : countBefore(after);
    const end = until === null ? documents : countBefore(until);
    const claim = createLedgerClaim(runId, 'documents');
    for (let at = start; at < end; at += page) {
      if (this.takes === this.#deathAt && at > (start + end) / 2) return false;
      await this.#beat();
      const next = Math.min(end, at + page);
      const batch: Batch = {
        ...{ rangeNo, epoch, number: at - start, after: at === start ? after : cutAt(at), last: cutAt(next) },
        ...{ documentCount: next - at, bytes: Buffer.alloc(0) },
      };
      const { documentCount } = batch;
      const account = { documentCount, copied: documentCount, deadLettered: 0, dropped: 0, addedRows: 0 };
      const statement = claim.statement(batch, { ...account, extra: [], childRows: 0 });
      this.#queue.countRead(batch);
      await this.#session.run((client) =>
        client.query(`BEGIN; SET LOCAL synchronous_commit = off; ${statement}; COMMIT`),
      );
      this.#queue.countSettled(batch);
      this.batches++;
    }
    await this.#queue.finish(range, cutAt(end));
    return true;
  }

  async #beat(): Promise<void> {
    if (performance.now() - this.#beatMs < heartbeatMs) return;
    this.#beatMs = performance.now();
    await this.#session.run((client) => recordHeartbeat(client, this.#hostId));
  }

  async close(): Promise<void> {
    await this.#session.close();
  }
}
