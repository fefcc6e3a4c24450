/**
 * Two fail points for states that a replica set may show to a client: a read of an older state, which only `afterClusterTime`
 * prevents, and writes that are rolled back later, which only reads without `majority` see.
 */
import type { Catalog } from './catalog.ts';
import type { StoredCollection } from './storage/stored-collection.ts';
import { Collection } from './storage/collection.ts';
import type { CommandReader } from './command-reader.ts';
import type { FailPointMode } from './fail-point-mode.ts';
import type { ClusterTime } from './oplog/cluster-time.ts';
import type { Oplog } from './oplog/oplog.ts';
import type { ReadConcern } from './replica-set/read-concern.ts';

interface Lie {
  readonly mode: FailPointMode;
  /** The collection that it is about, such as `shop.orders`; all of them when undefined. */
  readonly namespace: string | undefined;
}

/** A state that was, of the collections that were then. */
interface StaleState extends Lie {
  readonly time: ClusterTime;
  readonly copies: ReadonlyMap<StoredCollection, Collection>;
}

export class ReplicaSetFaults {
  readonly #catalog: Catalog;
  readonly #oplog: Oplog;
  #stale: StaleState | undefined;
  #rolledBack: Lie | undefined;

  constructor(catalog: Catalog, oplog: Oplog) {
    this.#catalog = catalog;
    this.#oplog = oplog;
  }

  /** `staleReads`: from now on reads see the state of this moment, unless `afterClusterTime` asks for a later one. */
  configureStaleReads(mode: FailPointMode, data: CommandReader | undefined): void {
    const namespace = readNamespace(data);
    if (mode.isOff) {
      this.#stale = undefined;
      return;
    }
    const copies = new Map<StoredCollection, Collection>();
    for (const stored of this.#catalog.all()) {
      if (isAbout(namespace, stored)) {
        copies.set(stored, (stored.majority ?? stored.documents).copy());
      }
    }
    this.#stale = { mode, namespace, time: this.#oplog.lastTime, copies };
  }

  /** `rolledBackWrites`: writes are done for all but `majority` readers, and undone when it is switched off. */
  configureRolledBackWrites(mode: FailPointMode, data: CommandReader | undefined): void {
    const namespace = readNamespace(data);
    this.rollBack();
    this.#rolledBack = mode.isOff ? undefined : { mode, namespace };
  }

  /** Undoes the writes, as when the primary steps down before a majority has them. */
  rollBack(): void {
    this.#rolledBack = undefined;
    for (const stored of this.#catalog.all()) {
      if (stored.majority !== undefined) {
        stored.documents = stored.majority;
        stored.majority = undefined;
      }
    }
  }

  /** Executes a write command to the collection, to be rolled back if the fail point is set. */
  write<T>(stored: StoredCollection, run: () => T): T {
    const lie = this.#rolledBack;
    if (lie === undefined || !isAbout(lie.namespace, stored) || !lie.mode.hit()) {
      return run();
    }
    stored.majority ??= stored.documents.copy();
    stored.isRolledBack = true;
    try {
      return run();
    } finally {
      stored.isRolledBack = false;
    }
  }

  /** The documents that a read sees. */
  read(stored: StoredCollection, { level, afterClusterTime }: ReadConcern): Collection {
    const stale = this.#stale;
    if (
      stale !== undefined &&
      isAbout(stale.namespace, stored) &&
      (afterClusterTime ?? 0) <= stale.time &&
      stale.mode.hit()
    ) {
      return stale.copies.get(stored) ?? new Collection();
    }
    const isMajority = level === 'majority' || level === 'linearizable';
    return isMajority ? (stored.majority ?? stored.documents) : stored.documents;
  }
}

function isAbout(namespace: string | undefined, { place }: StoredCollection): boolean {
  return namespace === undefined || namespace === `${place.database}.${place.collection}`;
}

function readNamespace(data: CommandReader | undefined): string | undefined {
  data?.refuseUnknown(['namespace'], 'data');
  return data?.string('namespace');
}
