/**
 * Makes the server a replica set of one: its name, and whether it is primary. It steps down on
 * request, and is elected again, as the only member of a real set is.
 */
import { Long, ObjectId, serialize } from 'bson';
import type { Document } from 'bson';
import { secondsOf, toTimestamp, writeTimestamp } from '../oplog/cluster-time.ts';
import type { ClusterTime } from '../oplog/cluster-time.ts';
import type { Oplog } from '../oplog/oplog.ts';
import type { TopologyVersion } from './topology-version.ts';

export class ReplicaSet {
  readonly name: string;
  readonly oplog: Oplog;
  /** `127.0.0.1:PORT`, once it listens: a client that discovers the hosts of the set comes back to this server. */
  host = '';
  readonly #topologyVersion: TopologyVersion;
  /** Greater after each restart, or clients would treat a restarted server as an old primary. */
  #term = Date.now();
  #reelection: NodeJS.Timeout | undefined;
  #isPrimary = true;

  constructor(name: string, oplog: Oplog, topologyVersion: TopologyVersion) {
    this.name = name;
    this.oplog = oplog;
    this.#topologyVersion = topologyVersion;
  }

  get isPrimary(): boolean {
    return this.#isPrimary;
  }

  /** To be primary again after `ms`. */
  stepDown(ms: number): void {
    clearTimeout(this.#reelection);
    this.#isPrimary = false;
    this.#topologyVersion.advance();
    this.#reelection = setTimeout(() => {
      this.becomePrimary();
    }, ms).unref();
  }

  becomePrimary(): void {
    clearTimeout(this.#reelection);
    if (!this.#isPrimary) {
      this.#term++;
      this.#isPrimary = true;
      // As mongod does: the new primary's first entry.
      this.oplog.appendNoop();
      this.#topologyVersion.advance();
    }
  }

  stop(): void {
    clearTimeout(this.#reelection);
    this.oplog.stop();
  }

  /** Fields of its hello beyond those of a standalone. */
  describe(): Document {
    const { lastTime } = this.oplog;
    const opTime = { ts: toTimestamp(lastTime), t: Long.fromNumber(this.#term) };
    const lastWriteDate = new Date(secondsOf(lastTime) * 1000);
    const term = this.#term.toString(16).padStart(16, '0');
    return {
      setName: this.name,
      setVersion: 1,
      hosts: [this.host],
      me: this.host,
      secondary: !this.#isPrimary,
      ...(this.#isPrimary ? { primary: this.host, electionId: new ObjectId(`7fffffff${term}`) } : {}),
      lastWrite: { opTime, lastWriteDate, majorityOpTime: opTime, majorityWriteDate: lastWriteDate },
    };
  }
}

/** `$clusterTime` and `operationTime`, the fields that end each reply of a replica set. */
export class ReplyTimes {
  readonly #fields: Buffer;
  readonly #clusterTimeStart: number;
  readonly #operationTimeStart: number;

  constructor() {
    const signature = { hash: Buffer.alloc(20), keyId: Long.ZERO };
    const marker = toTimestamp(0);
    const document = serialize({ $clusterTime: { clusterTime: marker, signature }, operationTime: marker });
    this.#fields = Buffer.from(document.subarray(4, -1));
    this.#clusterTimeStart = this.#fields.indexOf('\x11clusterTime\0') + '\x11clusterTime\0'.length;
    this.#operationTimeStart = this.#fields.length - 8;
  }

  /** The elements, valid until the next call. */
  encode(clusterTime: ClusterTime, operationTime: ClusterTime): Buffer {
    writeTimestamp(this.#fields, this.#clusterTimeStart, clusterTime);
    writeTimestamp(this.#fields, this.#operationTimeStart, operationTime);
    return this.#fields;
  }
}
