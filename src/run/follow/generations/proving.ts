/**
 * Has the workers compare documents of a followed collection with their rows, and adds up the results: pages of all documents, and
 * noted documents.
 */

import { arrayOfDocuments } from '../../../bson/array.ts';
import { countDocuments } from '../../../bson/cursor.ts';
import type { Ack } from '../../../observe/ack.ts';
import type { Difference } from '../../../observe/comparison.ts';
import type { RunListener } from '../../../observe/run-listener.ts';
import { maxNamed } from '../../../postgres/compare/shown-values.ts';
import type { NotedId } from '../../../postgres/follow/unverified.ts';
import type { FollowedCollection } from '../../../postgres/worker-settings.ts';
import type { Changes, ChangingCollection } from '../../../source/changes.ts';
import type { ClusterTime } from '../../../source/cluster-time.ts';
import type { Batch, Page } from '../../../source/page.ts';
import type { Plan } from '../../../transcode/plan.ts';
import type { RunHandle } from '../../../workers/supervisor/run-handle.ts';
import type { Supervisor } from '../../../workers/supervisor/supervisor.ts';
import { workerTarget, type WorkerConfig } from '../../workforce.ts';
import { readAsked } from '../followed.ts';

const idsAtATime = 1_000;

export interface ProvingOptions {
  readonly config: WorkerConfig;
  readonly supervisor: Supervisor;
  readonly changes: Changes;
  readonly collection: ChangingCollection;
  readonly filter: Uint8Array | undefined;
  readonly place: FollowedCollection;
  readonly runId: string;
  readonly plan: Plan;
}

/** Numbers of documents by result. */
export interface Found {
  readonly compared: number;
  readonly equal: number;
  readonly missing: number;
  readonly different: number;
  readonly deadLettered: number;
  /** Rows without a document, and the first ids. */
  readonly extra: number;
  readonly extraIds: readonly (string | null)[];
  readonly differences: readonly Difference[];
  readonly bytes: number;
}

export class Proving implements RunListener {
  readonly #options: ProvingOptions;
  readonly #handle: RunHandle;
  #number = 0;
  #found: Found = {
    ...{ compared: 0, equal: 0, missing: 0, different: 0, deadLettered: 0, extra: 0, bytes: 0 },
    extraIds: [],
    differences: [],
  };
  /** By batch number. */
  readonly #inFlight = new Map<number, readonly NotedId[]>();
  /** Batches that have crashed workers. */
  #givenUp: NotedId[] = [];

  constructor(options: ProvingOptions) {
    this.#options = options;
    const { config, supervisor, runId, plan, place } = options;
    const settings = { ...workerTarget(config), purpose: 'prove', runId, plan, stream: place } as const;
    this.#handle = supervisor.begin(settings, this);
  }

  /** All results so far. */
  get found(): Found {
    return this.#found;
  }

  /** Resolves when there was room for it; `settle` waits until it is compared. */
  async comparePage(page: Page, after: Uint8Array | null): Promise<void> {
    this.#count(page.documentCount, page.bytes.byteLength);
    const { epoch } = this.#options.place;
    await this.#handle.submit({ ...page, after, rangeNo: 1, epoch, number: this.#take(page.documentCount) });
  }

  /** @param time not before any merged change of them @throws SourceChangedError */
  async compareNoted(noted: readonly NotedId[], time: ClusterTime): Promise<void> {
    const { changes, collection, filter } = this.#options;
    for (let left = noted; left.length > 0;) {
      const asked = left.slice(0, idsAtATime);
      const { ids, bytes } = await readAsked(changes, collection, asked, time, filter);
      await this.#submit(left.slice(0, ids.length), bytes);
      left = left.slice(ids.length);
    }
  }

  /** Resolves when all is compared. */
  async settle(time: ClusterTime): Promise<void> {
    await this.#handle.drain();
    const singly = this.#givenUp;
    this.#givenUp = [];
    for (const each of singly) await this.compareNoted([each], time);
    if (singly.length > 0) await this.#handle.drain();
  }

  end(): void {
    this.#handle.end();
  }

  onAck(_workerId: string, { comparison }: Ack, settled: readonly Batch[]): void {
    for (const { number, drain } of settled) {
      const noted = this.#inFlight.get(number);
      if (drain?.isGivenUp === true) this.#giveUp(noted ?? []);
      this.#inFlight.delete(number);
    }
    if (comparison === undefined) return;
    const { found } = this;
    const room = Math.max(0, maxNamed - found.differences.length);
    const { extra = [] } = comparison;
    this.#found = {
      compared: found.compared,
      bytes: found.bytes,
      equal: found.equal + comparison.equal,
      missing: found.missing + comparison.missing,
      different: found.different + comparison.different,
      deadLettered: found.deadLettered + comparison.deadLettered,
      extra: found.extra + extra.length,
      extraIds: [...found.extraIds, ...extra].slice(0, maxNamed),
      differences: [...found.differences, ...comparison.differences.slice(0, room)],
    };
  }

  async #submit(noted: readonly NotedId[], bytes: Uint8Array): Promise<void> {
    const [first] = noted;
    if (first === undefined) throw new RangeError('nothing was asked for');
    this.#count(noted.length, bytes.byteLength);
    const number = this.#take(noted.length);
    this.#inFlight.set(number, noted);
    await this.#handle.submit({
      ...{
        bytes,
        documentCount: countDocuments(bytes),
        rangeNo: 1,
        epoch: this.#options.place.epoch,
        number,
      },
      ...{ after: null, last: first.id },
      drain: {
        slot: 0,
        drainNo: 0,
        ids: arrayOfDocuments(noted.map(({ id }) => id)),
        seqs: noted.map(({ drainNo, version }) => (version === null ? [drainNo] : [drainNo, version])),
      },
    });
  }

  /** They are compared again one at a time, and counted then. */
  #giveUp(noted: readonly NotedId[]): void {
    this.#givenUp.push(...noted);
    this.#count(-noted.length, 0);
  }

  #count(documents: number, bytes: number): void {
    const { found } = this;
    this.#found = { ...found, compared: found.compared + documents, bytes: found.bytes + bytes };
  }

  /** Reserves a number for each document, so that a batch can be split. */
  #take(documents: number): number {
    const number = this.#number + 1;
    this.#number += documents;
    return number;
  }
}
